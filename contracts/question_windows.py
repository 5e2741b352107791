"""A question and a long context as rows that a model can read: overlapping windows, the same in training and serving.

Knows no tokenizer library: `PairTokenizer` and `PairEncoding` name the few methods of Hugging Face's `tokenizers` that
are used.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import numpy.typing as npt


class PairEncoding(Protocol):
    """The part of `tokenizers.Encoding` that is used here."""

    @property
    def ids(self) -> list[int]: ...
    @property
    def type_ids(self) -> list[int]: ...
    @property
    def offsets(self) -> list[tuple[int, int]]: ...
    @property
    def sequence_ids(self) -> list[int | None]: ...
    @property
    def overflowing(self) -> Sequence[PairEncoding]: ...
    def truncate(self, max_length: int, stride: int = 0) -> None: ...


class PairTokenizer(Protocol):
    """The part of `tokenizers.Tokenizer` that is used here; it must be set neither to cut nor to pad."""

    def encode(
        self, sequence: str, pair: None = None, is_pretokenized: bool = False, add_special_tokens: bool = True
    ) -> PairEncoding: ...
    def post_process(self, encoding: PairEncoding, pair: PairEncoding | None = None) -> PairEncoding: ...
    def num_special_tokens_to_add(self, is_pair: bool) -> int: ...


@dataclass(frozen=True, slots=True)
class Window:
    """One row: the question and a stretch of the context. Its first token is the place that means "no answer"."""

    ids: list[int]
    type_ids: list[int]  # as the tokenizer says, which may be 0 for both texts though the model knows two segments
    first: int  # place of the first token of the context
    spans: list[tuple[int, int]]  # characters of the context that each of its tokens here stands for


@dataclass(frozen=True, slots=True)
class ReadQuestion:
    """A question with its context as a model reads them, and what the monitor wants to know of the two."""

    windows: list[Window]  # at least one, in the order of the context
    length: int  # tokens of question and context before anything was cut, special tokens included
    unknown_share: float  # of the tokens without special ones, 0..1
    fragmentation: float  # tokens without special ones, per whitespace-separated word
    question_cut: bool  # the question was longer than its share of a row


def read_question(
    tokenizer: PairTokenizer, question: str, context: str, *, max_tokens: int, stride: int, unknown: int = -1
) -> ReadQuestion:
    """Rows of at most `max_tokens` (>= 8) tokens; neighbours share `stride` tokens of the context where there is room.

    A question keeps to a third of a row and `stride` to half of what is left, so that every row brings something new.
    `unknown` is the id of the unknown token, -1 for none. Windows as in Devlin et al. 2018, arXiv 1810.04805, section
    4.2 (there of 384 tokens with a stride of 128).
    """
    asked = tokenizer.encode(question, add_special_tokens=False)
    read = tokenizer.encode(context, add_special_tokens=False)
    tokens = [*asked.ids, *read.ids]
    specials = tokenizer.num_special_tokens_to_add(True)
    kept, asked = _shortened(tokenizer, question, asked, max(1, max_tokens // 3))
    room = max_tokens - specials - len(asked.ids)
    if len(read.ids) > room:
        read.truncate(room, min(stride, room // 2))
    whole = tokenizer.post_process(asked, read)
    return ReadQuestion(
        windows=[_window(row, whole.type_ids[-1]) for row in (whole, *whole.overflowing)],
        length=len(tokens) + specials,
        unknown_share=tokens.count(unknown) / len(tokens) if tokens else 0.0,
        fragmentation=len(tokens) / max(1, len(question.split()) + len(context.split())),
        question_cut=kept != question,
    )


def padded_types(rows: Sequence[Sequence[int]], width: int) -> npt.NDArray[np.int64]:
    """Token type ids as a graph takes them, [rows, width]: 0 behind a row's end, and all along a row of none."""
    types = np.zeros((len(rows), width), dtype=np.int64)
    for place, row in enumerate(rows):
        if row:
            types[place, : len(row)] = row
    return types


def _shortened(tokenizer: PairTokenizer, question: str, asked: PairEncoding, most: int) -> tuple[str, PairEncoding]:
    """The question's beginning of at most `most` tokens. Cut as a text: a cut encoding would bring its rest along."""
    while len(asked.ids) > most:
        start, end = asked.offsets[most - 1]
        question = question[:end] if end < len(question) else question[:start]
        asked = tokenizer.encode(question, add_special_tokens=False)
    return question, asked


def _window(row: PairEncoding, segment: int) -> Window:
    """`segment` is the context's; tokenizers leaves it out of all windows but the first."""
    places = [place for place, sequence in enumerate(row.sequence_ids) if sequence == 1]
    ids, offsets = row.ids, row.offsets
    first = places[0] if places else len(ids)
    return Window(
        ids=ids,
        type_ids=[*row.type_ids[:first], *[segment] * (len(ids) - first)],
        first=first,
        spans=[offsets[place] for place in places],
    )
