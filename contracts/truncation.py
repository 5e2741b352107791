"""The cut of a text that is longer than a model reads: the same in training and serving."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol, TypeVar

T = TypeVar("T")


class Tokens(Protocol):
    """What is asked of an encoding of `tokenizers`."""

    @property
    def special_tokens_mask(self) -> list[int]:
        """1 for each token that is none of the text."""


def cut(parts: Sequence[T], encoding: Tokens, most: int) -> list[T]:
    """What is kept of a text's tokens, or of something that each of them has.

    The first, and the special ones that close the text, `most` together: as the truncation of `tokenizers` leaves them.
    """
    if len(parts) <= most:
        return list(parts)
    mask = encoding.special_tokens_mask
    closing = next((count for count, is_special in enumerate(reversed(mask)) if not is_special), 0)
    return [*parts[: most - closing], *parts[len(parts) - closing :]]
