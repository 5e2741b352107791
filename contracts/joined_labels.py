"""How one field of the prediction log names any number of labels or entity types."""

from __future__ import annotations

from collections.abc import Iterable

SEPARATOR = "+"
NONE = "none"
OTHERS = "(other labels)"  # in metrics and references, all that are too rare to be counted each by itself


def joined(names: Iterable[str]) -> str:
    """The names with "+" between them, in the order in which they are given; "none" where there is none."""
    return SEPARATOR.join(names) or NONE


def is_ambiguous(name: str) -> bool:
    """Whether a label of this name could not be told from several, from none, or from the rare ones."""
    return SEPARATOR in name or name in (NONE, OTHERS)
