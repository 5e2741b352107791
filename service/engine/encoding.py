"""From a text to what a model takes, and what the monitor wants to know of it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from tokenizers import Encoding, Tokenizer

from contracts.entities import Word, words_of
from contracts.lemmas import lemmatizer_of
from contracts.question_windows import Window, padded_types, read_question
from contracts.truncation import cut
from service.engine.word_cache import word_cache_of


class EncodedText(NamedTuple):
    """A text as the model takes it, and what the monitor wants to know of it."""

    text: str
    ids: list[int]  # cut to the release's max_tokens, special tokens included
    length: int  # tokens before the cut, special tokens included
    unknown_share: float  # of the tokens without special ones, 0..1
    fragmentation: float  # tokens without special ones, per whitespace-separated word
    windows: tuple[Window, ...] = ()  # of a question with its context: all its rows, `ids` is the first of them
    question_cut: bool = False  # a question so long that its end is in no window
    words: tuple[Word, ...] = ()  # before the cut, with the places of their first pieces; where a kind needs them

    def is_cut(self, max_tokens: int) -> bool:
        """Whether some of it is not read."""
        return self.question_cut if self.windows else self.length > max_tokens

    @property
    def rows(self) -> list[list[int]]:
        """What is run of it."""
        return [TypedIds(window.ids, window.type_ids) for window in self.windows] if self.windows else [self.ids]


class TypedIds(list[int]):
    """Token ids of two texts, with their token type ids: those that the network was trained with."""

    __slots__ = ("types",)

    def __init__(self, ids: Sequence[int], types: Sequence[int]) -> None:
        super().__init__(ids)
        self.types = types


def segments_of(rows: Sequence[list[int]], width: int) -> npt.NDArray[np.int64]:
    """Token type ids [rows, width], 0 where a row has none of its own and behind its end."""
    return padded_types([row.types if isinstance(row, TypedIds) else () for row in rows], width)


class TextEncoder:
    """A tokenizer and a cut at `max_tokens`. Its methods may be called from several threads at once."""

    def __init__(self, tokenizer: Tokenizer, max_tokens: int) -> None:
        tokenizer.no_padding()
        tokenizer.no_truncation()
        unknown = getattr(tokenizer.model, "unk_token", None)
        self.last_token: int = max(tokenizer.get_vocab().values())
        self._max_tokens = max_tokens
        self._tokenizer = tokenizer
        self._unknown = -1 if unknown is None else tokenizer.token_to_id(unknown)
        self._specials = tokenizer.num_special_tokens_to_add(False)
        self._lemmatize = lemmatizer_of(tokenizer)
        self._words = word_cache_of(tokenizer)

    def encode(self, texts: Sequence[str]) -> list[EncodedText]:
        """Tokenize; texts above max_tokens are cut, their closing special token kept."""
        read = texts if self._lemmatize is None else [self._lemmatize(text) for text in texts]
        known = [None if self._words is None else self._words.ids(text) for text in read]
        # A cut needs to know which tokens are special.
        known = [ids if ids is not None and len(ids) <= self._max_tokens else None for ids in known]
        new = [text for text, ids in zip(read, known, strict=True) if ids is None]
        # Without offsets, which nobody wants here.
        found = iter(self._tokenizer.encode_batch_fast(new) if new else ())
        return [
            self._encoded(text, next(found)) if ids is None else self._told(text, ids, len(ids))
            for text, ids in zip(texts, known, strict=True)
        ]

    def encode_words(self, texts: Sequence[str]) -> list[EncodedText]:
        """Tokenize, and keep where words are; texts above max_tokens are cut."""
        return [self._encoded_words(text) for text in texts]

    def _encoded_words(self, text: str) -> EncodedText:
        whole = self._tokenizer.encode(text)
        offsets = cut(whole.offsets, whole, self._max_tokens)
        return self._encoded(text, whole)._replace(words=words_of(text, offsets))

    def encode_questions(self, texts: Sequence[str], stride: int) -> list[EncodedText]:
        """Tokenize texts whose first line is a question and whose rest is its context; neighbours share `stride`."""
        return [self._encoded_question(text, stride) for text in texts]

    def _encoded_question(self, text: str, stride: int) -> EncodedText:
        question, _, context = text.partition("\n")
        read = read_question(
            self._tokenizer, question, context, max_tokens=self._max_tokens, stride=stride, unknown=self._unknown
        )
        windows = tuple(read.windows)
        first = TypedIds(windows[0].ids, windows[0].type_ids)
        return EncodedText(text, first, read.length, read.unknown_share, read.fragmentation, windows, read.question_cut)

    def _encoded(self, text: str, encoding: Encoding) -> EncodedText:
        ids: list[int] = encoding.ids
        return self._told(text, cut(ids, encoding, self._max_tokens), len(ids), ids.count(self._unknown))

    def _told(self, text: str, ids: list[int], length: int, unknown: int | None = None) -> EncodedText:
        """`ids` are those that are kept; `length` and `unknown` count all."""
        pieces = max(0, length - self._specials)
        unknown = ids.count(self._unknown) if unknown is None else unknown
        share = min(unknown / pieces, 1.0) if pieces else 0.0
        return EncodedText(text, ids, length, share, pieces / max(1, len(text.split())))
