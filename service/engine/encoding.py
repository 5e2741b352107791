"""From a text to what a model takes, and what the monitor wants to know of it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from tokenizers import Encoding, Tokenizer


class EncodedText(NamedTuple):
    """A text as the model takes it, and what the monitor wants to know of it."""

    text: str
    ids: list[int]  # cut to the release's max_tokens, special tokens included
    length: int  # tokens before the cut, special tokens included
    unknown_share: float  # of the tokens without special ones, 0..1
    fragmentation: float  # tokens without special ones, per whitespace-separated word


class TextEncoder:
    """A tokenizer and a cut at `max_tokens`. Its methods may be called from several threads at once."""

    def __init__(self, tokenizer: Tokenizer, max_tokens: int) -> None:
        tokenizer.no_padding()
        tokenizer.no_truncation()
        cutter = Tokenizer.from_str(tokenizer.to_str())
        cutter.enable_truncation(max_tokens)
        unknown = getattr(tokenizer.model, "unk_token", None)
        self.last_token: int = max(tokenizer.get_vocab().values())
        self._max_tokens = max_tokens
        self._tokenizer = tokenizer
        self._cutter = cutter
        self._unknown = -1 if unknown is None else tokenizer.token_to_id(unknown)
        self._specials = tokenizer.num_special_tokens_to_add(False)

    def encode(self, texts: Sequence[str]) -> list[EncodedText]:
        """Tokenize; texts above max_tokens are cut, their closing special token kept."""
        if len(texts) == 1:
            return [self._encoded(texts[0], self._tokenizer.encode(texts[0]))]
        found = self._tokenizer.encode_batch(list(texts))
        return [self._encoded(text, encoding) for text, encoding in zip(texts, found, strict=True)]

    def _encoded(self, text: str, encoding: Encoding) -> EncodedText:
        ids: list[int] = encoding.ids
        length = len(ids)
        pieces = max(0, length - self._specials)
        unknown = ids.count(self._unknown) / pieces if pieces else 0.0
        if length > self._max_tokens:
            ids = self._cutter.encode(text).ids
        return EncodedText(text, ids, length, min(unknown, 1.0), pieces / max(1, len(text.split())))
