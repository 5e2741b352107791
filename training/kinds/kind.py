"""What one kind of task must say of itself, so that the story of a training can be told without knowing it."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import ClassVar

import numpy as np
from tokenizers import Tokenizer

from contracts.reference import Floats, Reference
from contracts.task import TaskSpec
from training.artefact.onnx_artefact import Artefact, tokenize
from training.artefact.speed import Runs, Speed
from training.data.dataset import Dataset
from training.data.rows import Row
from training.evaluation.analysis import Analysis
from training.evaluation.evaluate import Evaluation
from training.learning.base_model import BaseModel
from training.learning.finetune import Encoded
from training.learning.network import Network
from training.progress import Stage
from training.report.blocks import Section


def _no_numbers() -> Floats:
    return np.zeros(0, dtype=np.float32)


@dataclass(frozen=True)
class Figure:
    """A figure of the manifest as the report calls it; a share, 0..1."""

    title: str
    name: str


@dataclass(frozen=True)
class Measured:
    """What the deployed artefact does on the test set, and the reference that the monitor will compare with."""

    figures: dict[str, float]  # of the test set; among them the kind's main one and `quantization_drop`
    temperature: float
    reference: Reference
    rows: int  # of the test set
    details: Mapping[str, object] = field(default_factory=dict)  # for metrics.json, as JSON has it
    evaluation: Evaluation | None = None  # where a text has one label
    analysis: Analysis | None = None  # mistakes, sensitivity, slices
    warnings: tuple[str, ...] = ()  # where there is no analysis: what somebody should know before using the release
    sections: tuple[Section, ...] = ()  # what else the report shows
    answers: Sequence[Sequence[str]] = ()  # to the test rows, where the baselines are compared answer by answer
    by_row: Floats = field(default_factory=_no_numbers)  # [n], where they are compared number by number
    thresholds: tuple[float, ...] | None = None  # by label, where a text has several
    null_threshold: float | None = None  # what answers must lead "no answer" by, where there may be none
    outcomes: tuple[str, ...] | None = None  # what the reference's predictions index, where it is not the labels


class TaskKind(ABC):
    """One kind of task: every step in which it differs from the others. It holds no state."""

    main: ClassVar[Figure]  # what the artefact is compared by: with torch, with the baselines
    tiles: ClassVar[tuple[Figure, ...]]  # what the report shows first
    rivals: ClassVar[tuple[Figure, ...]]  # the baselines' main figures, the strongest last
    gated: ClassVar[tuple[str, ...]]  # the figures for which [gate] may have a floor
    own_labels: ClassVar[bool] = True  # whether the manifest's labels are the task's words, worth telling

    def labels(self, dataset: Dataset) -> tuple[str, ...]:
        """The manifest's labels, in the order of the logits."""
        return dataset.labels

    def texts(self, rows: Sequence[Row]) -> list[str]:
        """What the service would be sent."""
        return [row.text for row in rows]

    def read(self, texts: Sequence[str], tokenizer: Tokenizer, spec: TaskSpec) -> Runs:
        """What the service runs to answer them."""
        return tokenize(tokenizer, texts, spec.model.max_tokens).ids, None

    @abstractmethod
    def build(self, base: BaseModel, dataset: Dataset, spec: TaskSpec) -> Network:
        """The untrained network, its head drawn by the task's seed. Raises BaseModelError."""

    @abstractmethod
    def encode(self, rows: Sequence[Row], labels: Sequence[str], tokenizer: Tokenizer, spec: TaskSpec) -> Encoded:
        """What the network reads, and what it is to learn of it."""

    @abstractmethod
    def measure(
        self,
        artefact: Artefact,
        model: Network,
        dataset: Dataset,
        stage: Stage,
        *,
        spec: TaskSpec,
        drifted: Sequence[Row] = (),
    ) -> Measured:
        """Run the artefact over held-out rows, and the network it came from over the test rows.

        What is chosen (temperature, thresholds) is chosen on validation, everything else is read off the test. The
        reference is made of validation and test, or of `drifted` held-out rows, where there are enough of them.
        """

    @abstractmethod
    def floors(
        self, dataset: Dataset, measured: Measured, *, base: BaseModel, tokenizer: Tokenizer, spec: TaskSpec
    ) -> dict[str, float]:
        """The baselines' figures on the test set, those of `rivals` among them.

        `base` is the model as it was before the training, which may be a baseline itself.
        For a rival `NAME_MAIN` the report looks for `beats_NAME_by` too, and for its interval in `_low` and `_high`.
        """

    @abstractmethod
    def answers(self, artefact: Artefact, labels: Sequence[str], rows: Sequence[Row], stage: Stage) -> list[str]:
        """What the artefact says of each row, in a form that equals `truths` where it is right."""

    def truths(self, rows: Sequence[Row]) -> list[str]:
        """What would be right."""
        return [row.label for row in rows]


def headline(measured: Measured, floors: Mapping[str, float], speed: Speed, size_bytes: int) -> dict[str, float]:
    """The figures that the manifest holds and the gate reads: shares are 0..1, sizes in 10^6 bytes."""
    return {
        **measured.figures,
        **floors,
        "size_mb": size_bytes / 1e6,
        "latency_p50_ms": speed.latency_p50_ms,
        "texts_per_second": speed.texts_per_second,
    }
