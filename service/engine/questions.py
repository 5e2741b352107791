"""Questions with their contexts: several rows of one request go in, one answer comes out; pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from tokenizers import Tokenizer

from contracts.answer_spans import best_span
from contracts.question_windows import ReadQuestion, read_question
from contracts.reference import Floats
from contracts.release import Manifest

_NO_ANSWER, _ANSWER = 0, 1  # into the manifest's labels


class PairIds(list[int]):
    """Token ids of two texts; the second begins at `second`, where token type ids change from 0 to 1."""

    __slots__ = ("second",)

    def __init__(self, ids: Sequence[int], second: int) -> None:
        super().__init__(ids)
        self.second = second


class Question(NamedTuple):
    """One instance."""

    question: str
    context: str

    @property
    def text(self) -> str:
        """As the prediction log keeps it, and training counts it."""
        return f"{self.question}\n{self.context}"


@dataclass(frozen=True, slots=True)
class EncodedQuestion:
    """A question as a model takes it."""

    asked: Question
    read: ReadQuestion

    @property
    def rows(self) -> list[PairIds]:
        """What is run, one row a window."""
        return [PairIds(window.ids, window.first) for window in self.read.windows]


class FoundAnswer(NamedTuple):
    """What is answered, and what the log and the monitor want to know of it."""

    answer: str  # "" for none
    start: int  # characters of the context; start = end = 0 for no answer
    end: int
    score: float  # calibrated, 0..1
    label: int  # into the manifest's labels
    logits: Floats  # [2]: what speaks for no answer, and for the best one
    embedding: Floats  # [hidden], the mean over windows


def encode_questions(
    tokenizer: Tokenizer, questions: Sequence[Question], manifest: Manifest, unknown: int
) -> list[EncodedQuestion]:
    """Each question with its context, in windows. `unknown` is the unknown token, -1 for none."""
    stride = manifest.spec.model.stride
    return [
        EncodedQuestion(
            one,
            read_question(
                tokenizer, one.question, one.context, max_tokens=manifest.max_tokens, stride=stride, unknown=unknown
            ),
        )
        for one in questions
    ]


def find_answer(
    encoded: EncodedQuestion, logits: Sequence[Floats], embeddings: Sequence[Floats], manifest: Manifest
) -> FoundAnswer:
    """One answer of what each window says: `logits` [tokens or more, 2] and `embeddings` [hidden] by window."""
    span = best_span(encoded.read.windows, logits)
    answered = span.is_answer(manifest.null_threshold or 0.0)
    start, end = (span.start, span.end) if answered else (0, 0)
    return FoundAnswer(
        answer=encoded.asked.context[start:end],
        start=start,
        end=end,
        score=span.score(answered=answered, temperature=manifest.temperature),
        label=_ANSWER if answered else _NO_ANSWER,
        logits=np.array([span.null, span.best], dtype=np.float32),
        embedding=np.mean(embeddings, axis=0, dtype=np.float32),
    )


def segments_of(rows: Sequence[list[int]], width: int) -> np.ndarray[tuple[int, int], np.dtype[np.int64]]:
    """Token type ids [rows, width]: 1 from where a second text begins to the row's end."""
    types = np.zeros((len(rows), width), dtype=np.int64)
    for place, row in enumerate(rows):
        if isinstance(row, PairIds):
            types[place, row.second : len(row)] = 1
    return types
