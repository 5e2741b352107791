"""The rows of each kind of task: how they are read, what a model of them tells apart, how they are thawed."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from contracts.task import TaskSpec
from training.data.bio import OUTSIDE
from training.data.extras import Extras
from training.data.multilabel import multi_label_row, read_multi_label
from training.data.pairs import PairRow, pair_row, read_pairs
from training.data.questions import ANSWER, NO_ANSWER, Answer, QuestionRow, question_row, read_questions
from training.data.rows import Row
from training.data.sources import read_rows
from training.data.tagged import TaggedRow, read_tagged, tagged_row

VECTOR = "vector"
_Read = Callable[[str, TaskSpec], Sequence[Row]]


def read_split(source: str, spec: TaskSpec) -> list[Row]:
    """The rows of one source, as the task's kind has them. Raises DataError naming file and line."""
    return list(_READERS[_form(spec)](source, spec))


def outputs_of(train: Sequence[Row]) -> tuple[str, ...]:
    """What a model of these rows tells apart, in the order of its logits."""
    names = sorted({name for row in train for name in row.names})
    if any(isinstance(row, QuestionRow) for row in train):
        return (NO_ANSWER, ANSWER)
    if any(isinstance(row, PairRow) for row in train):
        return (VECTOR,)
    if any(isinstance(row, TaggedRow) for row in train):
        return (OUTSIDE, *(f"{prefix}-{name}" for name in names for prefix in ("B", "I")))
    return tuple(names)


def row_from(content: Mapping[str, Any], file: str, line: int) -> Row:
    """The row whose `content()` this is."""
    return replace(_made(content, file, line), extra=tuple(content.get("extra", {}).items()))


def is_single_label(rows: Sequence[Row]) -> bool:
    """Whether each row has one label, and nothing else is to be learned."""
    return all(type(row) is Row for row in rows)


def _made(content: Mapping[str, Any], file: str, line: int) -> Row:
    if "tags" in content:
        offsets = tuple((start, end) for start, end in content["offsets"])
        return tagged_row(content["text"], offsets, content["tags"], file, line)
    if "question" in content:
        answers = [Answer(text, start) for text, start in content["answers"]]
        return question_row(content["id"], content["question"], content["context"], answers, file, line)
    if "first" in content:
        return pair_row(content["first"], content["second"], content["score"], file, line)
    if "labels" in content:
        return multi_label_row(content["text"], content["labels"], file, line)
    return Row(content["text"], content["label"], file, line)


def _form(spec: TaskSpec) -> str:
    if spec.kind == "classification" and spec.multi_label:
        return "multi-label"
    if spec.kind == "similarity" and spec.data.pairs == "none":
        return "classification"
    return spec.kind


def _labelled(source: str, spec: TaskSpec) -> list[Row]:
    data = spec.data
    rows = read_rows(source, text_column=data.text_column, label_column=data.label_column, extras=Extras.of(data))
    return [replace(row, text=row.text.strip(), label=row.label.strip()) for row in rows]


_READERS: dict[str, _Read] = {
    "classification": _labelled,
    "multi-label": lambda source, spec: read_multi_label(source, spec.data),
    "token-classification": lambda source, spec: read_tagged(source, spec.data),
    "question-answering": lambda source, spec: read_questions(source, spec.data),
    "similarity": lambda source, spec: read_pairs(source, spec.data),
}
