"""Multi-label classification: a text has several labels, one, or none."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import ClassVar

import numpy as np
import torch
from tokenizers import Tokenizer
from torch import Tensor
from torch.nn import functional

from contracts.reference import Floats
from contracts.several_labels import SeveralLabels, choose_labels, label_scores
from contracts.task import TaskSpec
from training.artefact.onnx_artefact import Artefact, Outputs, tokenize
from training.data.dataset import Dataset
from training.data.multilabel import MultiLabelRow
from training.data.rows import Row, rows_of
from training.evaluation.bootstrap import Bools, f1_gain
from training.evaluation.calibration import fit_temperature
from training.evaluation.reference import fit_projection
from training.evaluation.sensitivity import texts_needed
from training.evaluation.several_floors import commonest_labels, tfidf_labels, truth_table
from training.evaluation.thresholds import choose_thresholds
from training.kinds.held_out import HeldOut, held_out_reference, outcomes_of
from training.kinds.kind import Figure, Measured, TaskKind
from training.kinds.several_analysis import Choice, LabelledPart, analyse_labels, label_counts
from training.learning.base_model import BaseModel
from training.learning.classifier import TextClassifier, build_classifier, torch_logits
from training.learning.finetune import Encoded
from training.learning.network import Network
from training.learning.objective import Arrays, LossSettings, Objective, collate_inputs
from training.learning.objective import Row as Example
from training.progress import Stage
from training.report.blocks import Section, Table, number_cell, share_cell, text_cell

_PROJECTION_ROWS = 2000


@dataclass(frozen=True)
class ThresholdScore:
    """One label on the test set, with the score from which on it counts."""

    label: str
    threshold: float
    precision: float
    recall: float
    f1: float
    rows: int


class MultiLabel(TaskKind):
    """Binary cross-entropy label by label, judged by the F1 of all labels together."""

    main: ClassVar[Figure] = Figure("micro F1", "f1")
    tiles: ClassVar[tuple[Figure, ...]] = (main, Figure("macro F1", "macro_f1"), Figure("all labels right", "accuracy"))
    gated: ClassVar[tuple[str, ...]] = ("f1", "macro_f1", "accuracy")
    rivals: ClassVar[tuple[Figure, ...]] = (
        Figure("Always the commonest labels", "majority_f1"),
        Figure("TF-IDF and logistic regression", "tfidf_f1"),
    )

    def build(self, base: BaseModel, dataset: Dataset, spec: TaskSpec) -> TextClassifier:
        """As for one label; what the logits mean is the objective's."""
        return build_classifier(base, len(dataset.labels), spec.train.seed, SEVERAL_LABELS)

    def encode(self, rows: Sequence[Row], labels: Sequence[str], tokenizer: Tokenizer, spec: TaskSpec) -> Encoded:
        """Token ids, and for each label whether the row has it."""
        table = truth_table(rows_of(MultiLabelRow, rows), labels)
        ids = tokenize(tokenizer, self.texts(rows), spec.model.max_tokens).ids
        return Encoded(ids, table.astype(np.float32).tolist())

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
        """Temperature and thresholds are chosen on validation, the rest is read off the test."""
        labels, seed = dataset.labels, spec.train.seed
        rows = [
            rows_of(MultiLabelRow, some)
            for some in (dataset.validation, dataset.test, dataset.train[:_PROJECTION_ROWS])
        ]
        stage.expect(sum(map(len, rows)) + len(rows[1]) + texts_needed(len(rows[1])))
        outputs = [artefact.run(self.texts(some), advance=stage.advance) for some in rows]
        truth = [truth_table(some, labels) for some in rows[:2]]
        temperature = _temperature(outputs[0].logits, truth[0])
        thresholds = choose_thresholds(label_scores(outputs[0].logits, temperature), truth[0])
        choice = Choice(labels, thresholds, temperature)
        given = [choice.given(part.logits) for part in outputs[:2]]
        original = torch_logits(model, outputs[1].tokenized.ids, advance=stage.advance)
        fp32 = _f1(choice.given(original), truth[1])
        parts = [
            _held_out(
                part,
                [choose_labels(row, labels, thresholds) for row in choice.scores(part.logits)],
                (answers == wanted).all(axis=1),
            )
            for part, answers, wanted in zip(outputs[:2], given, truth, strict=True)
        ]
        outcomes = outcomes_of([label for part in parts for label in part.labels])
        scores = score_labels(labels, thresholds, given[1], truth[1])
        hits, answers, wanted_labels = label_counts(given[1], truth[1]).sum(axis=0, dtype=np.float64)
        f1 = _f1(given[1], truth[1])
        validation, test, training = (
            LabelledPart(split, some, found)
            for split, some, found in zip(("validation", "test", "training"), rows, outputs, strict=True)
        )
        told = analyse_labels(artefact, test, (validation, training), choice, stage, spec=spec)
        return Measured(
            figures={
                **told.figures,
                "f1": f1,
                "precision": float(hits / max(answers, 1.0)),
                "recall": float(hits / max(wanted_labels, 1.0)),
                "validation_f1": _f1(given[0], truth[0]),
                "fp32_f1": fp32,
                "quantization_drop": fp32 - f1,
            },
            temperature=temperature,
            reference=held_out_reference(parts, outcomes, fit_projection(outputs[2].embeddings), seed=seed),
            rows=len(dataset.test),
            details={"labels": [asdict(one) for one in scores], **told.details},
            warnings=told.warnings,
            sections=(_section(scores), *told.sections),
            thresholds=thresholds,
            outcomes=outcomes,
            answers=[[name for name, has in zip(labels, row, strict=True) if has] for row in given[1]],
        )

    def floors(
        self, dataset: Dataset, measured: Measured, *, base: BaseModel, tokenizer: Tokenizer, spec: TaskSpec
    ) -> dict[str, float]:
        """The commonest labels, and TF-IDF with one logistic regression a label."""
        train, test = rows_of(MultiLabelRow, dataset.train), rows_of(MultiLabelRow, dataset.test)
        truth = truth_table(test, dataset.labels)
        ours = np.array([[name in set(found) for name in dataset.labels] for found in measured.answers], dtype=np.bool_)
        floors = {
            "majority": commonest_labels(train, test, dataset.labels),
            "tfidf": tfidf_labels(train, test, dataset.labels),
        }
        found: dict[str, float] = {}
        for name, floor in floors.items():
            gain = f1_gain(label_counts(ours, truth), label_counts(floor, truth), seed=0)
            found |= {f"{name}_f1": _f1(floor, truth), **gain.figures(f"beats_{name}_by")}
        return found

    def answers(self, artefact: Artefact, labels: Sequence[str], rows: Sequence[Row], stage: Stage) -> list[str]:
        """The labels of each row whose probability is at least one half."""
        scores = label_scores(artefact.run(self.texts(rows), advance=stage.advance).logits, 1.0)
        return [choose_labels(row, labels, [0.5] * len(labels)).label for row in scores]


def _loss(logits: Tensor, labels: Tensor, settings: LossSettings) -> Tensor:
    """Binary cross-entropy, the mean over rows and labels; with gamma the focal loss (Lin et al. 2017, eq. 4)."""
    wanted = labels * (1 - settings.label_smoothing) + settings.label_smoothing / 2
    losses = functional.binary_cross_entropy_with_logits(logits, wanted, reduction="none")
    if settings.focal_gamma > 0:
        chances = torch.sigmoid(logits)
        losses = losses * torch.where(labels > 0, 1 - chances, chances) ** settings.focal_gamma
    return losses.mean()


def _soft_loss(logits: Tensor, taught: Tensor) -> Tensor:
    return functional.binary_cross_entropy_with_logits(logits, torch.sigmoid(taught))


def _collate(rows: Sequence[Example]) -> dict[str, Tensor]:
    return {**collate_inputs(rows), "labels": torch.tensor([row["labels"] for row in rows], dtype=torch.float32)}


def _score(outputs: Arrays, labels: Arrays) -> float:
    return _f1(np.concatenate(outputs) > 0, np.concatenate(labels) > 0)


SEVERAL_LABELS = Objective(
    score_name="micro F1",
    collate=_collate,
    loss=_loss,
    score=_score,
    soft_loss=lambda logits, taught, _: _soft_loss(logits, taught),
)


def score_labels(
    labels: Sequence[str], thresholds: Sequence[float], given: Bools, truth: Bools
) -> list[ThresholdScore]:
    """Each label by itself, of [n, labels] answers; what has nothing under its fraction is 0."""
    found = []
    for place, (label, threshold) in enumerate(zip(labels, thresholds, strict=True)):
        hits = int((given[:, place] & truth[:, place]).sum())
        answers, rows = int(given[:, place].sum()), int(truth[:, place].sum())
        precision, recall, f1 = hits / max(answers, 1), hits / max(rows, 1), 2 * hits / max(answers + rows, 1)
        found.append(ThresholdScore(label, threshold, precision, recall, f1, rows))
    return found


def _f1(given: Bools, truth: Bools) -> float:
    hits, answers, wanted = label_counts(given, truth).sum(axis=0, dtype=np.float64)
    return float(2 * hits / max(answers + wanted, 1.0))


def _temperature(logits: Floats, truth: Bools) -> float:
    """A label by itself is a choice of two, whose logits are 0 and its own."""
    flat = logits.ravel()
    return fit_temperature(np.stack([np.zeros_like(flat), flat], axis=1), truth.ravel().astype(np.int64))


def _held_out(outputs: Outputs, told: Sequence[SeveralLabels], correct: Bools) -> HeldOut:
    return HeldOut(
        labels=[one.label for one in told],
        correct=correct,
        scores=np.array([one.score for one in told], dtype=np.float32),
        embeddings=outputs.embeddings,
        tokenized=outputs.tokenized,
    )


def _section(told: Sequence[ThresholdScore]) -> Section:
    ordered = sorted(told, key=lambda one: (one.rows == 0, one.f1, one.label))
    table = Table(
        head=("Label", "F1#", "Precision#", "Recall#", "Counts from#", "Test texts#"),
        rows=tuple(
            (
                text_cell(one.label),
                share_cell(one.f1),
                share_cell(one.precision),
                share_cell(one.recall),
                number_cell(f"{one.threshold:.2f}"),
                number_cell(f"{one.rows:,}"),
            )
            for one in ordered
        ),
        note="A label counts from a score on that was chosen for the best F1 on validation.",
        tall=True,
    )
    return Section("Labels, the weakest first", (table,))
