"""Open Inference Protocol v2: which tensors go in and come out, one entry a kind of task; pure."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, Protocol

import orjson

from contracts.task import Kind

Datatype = Literal["BYTES", "FP32", "INT64", "BOOL"]


class Answer(Protocol):
    """What is known of one text."""

    @property
    def id(self) -> str: ...
    @property
    def label(self) -> str: ...
    @property
    def score(self) -> float: ...
    @property
    def scores(self) -> Sequence[tuple[str, float]] | None: ...
    @property
    def truncated(self) -> bool: ...
    @property
    def fields(self) -> Mapping[str, object] | None: ...


@dataclass(frozen=True, slots=True)
class Output:
    """One tensor of the answer: `of` is its element for one text, or its row where it is `wide`."""

    datatype: Datatype
    of: Callable[[Answer], object]
    wide: bool = False
    ranked: bool = False  # only with the parameter top_k, whose many labels are its columns


@dataclass(frozen=True, slots=True)
class Tensors:
    """Of one kind of task. All inputs are BYTES, [n] or [n, 1]."""

    inputs: tuple[str, ...]
    outputs: Mapping[str, Output]


def _field(name: str) -> Callable[[Answer], object]:
    return lambda answer: (answer.fields or {})[name]


def _as_json(name: str) -> Callable[[Answer], object]:
    """An element is one text of JSON: what has no fixed length has no place in a tensor of its own."""
    return lambda answer: orjson.dumps((answer.fields or {})[name]).decode()


def _ranked_labels(answer: Answer) -> object:
    return [label for label, _ in answer.scores or ()]


def _ranked_scores(answer: Answer) -> object:
    return [score for _, score in answer.scores or ()]


_LABEL = {"label": Output("BYTES", lambda answer: answer.label)}
_SCORE = {"score": Output("FP32", lambda answer: answer.score)}
_ALWAYS = {
    "id": Output("BYTES", lambda answer: answer.id),
    "truncated": Output("BOOL", lambda answer: answer.truncated),
}

ONE_LABEL = Tensors(
    ("text",),
    {
        **_LABEL,
        **_SCORE,
        **_ALWAYS,
        "labels": Output("BYTES", _ranked_labels, wide=True, ranked=True),
        "scores": Output("FP32", _ranked_scores, wide=True, ranked=True),
    },
)
SEVERAL_LABELS = Tensors(
    ("text",),
    {
        **_LABEL,
        **_SCORE,
        "labels": Output("BYTES", _as_json("labels")),
        **_ALWAYS,
        "ranked_labels": Output("BYTES", _ranked_labels, wide=True, ranked=True),
        "ranked_scores": Output("FP32", _ranked_scores, wide=True, ranked=True),
    },
)
TENSORS: dict[Kind, Tensors] = {
    "classification": ONE_LABEL,
    "token-classification": Tensors(("text",), {"entities": Output("BYTES", _as_json("entities")), **_ALWAYS}),
    "question-answering": Tensors(
        ("question", "context"),
        {
            "answer": Output("BYTES", _field("answer")),
            **_SCORE,
            "start": Output("INT64", _field("start")),
            "end": Output("INT64", _field("end")),
            **_ALWAYS,
        },
    ),
    "similarity": Tensors(("text",), {"embedding": Output("FP32", _field("embedding"), wide=True), **_ALWAYS}),
}


def tensors_of(kind: Kind, *, several_labels: bool) -> Tensors:
    """Of a task; `several_labels`: a text may have any number of them."""
    return SEVERAL_LABELS if several_labels else TENSORS[kind]


def every_output() -> dict[str, Datatype]:
    """Of all kinds, by name."""
    every = [ONE_LABEL, SEVERAL_LABELS, *TENSORS.values()]
    return {name: output.datatype for tensors in every for name, output in tensors.outputs.items()}
