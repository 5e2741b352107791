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
from training.evaluation.bootstrap import Bools, f1_estimate, f1_gain, macro_f1_estimate
from training.evaluation.calibration import fit_temperature
from training.evaluation.reference import fit_projection
from training.evaluation.several_floors import commonest_labels, tfidf_labels, truth_table
from training.evaluation.thresholds import choose_thresholds
from training.kinds.held_out import HeldOut, held_out_reference, outcomes_of
from training.kinds.kind import Figure, Measured, TaskKind
from training.kinds.parts import parts_of
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
        sample = dataset.train[:_PROJECTION_ROWS]
        stage.expect(len(sample) + len(dataset.validation) + 2 * len(dataset.test))
        training = artefact.run(self.texts(sample), advance=stage.advance)
        outputs = [artefact.run(self.texts(rows), advance=stage.advance) for rows in (dataset.validation, dataset.test)]
        truth = [truth_table(rows_of(MultiLabelRow, rows), labels) for rows in (dataset.validation, dataset.test)]
        temperature = _temperature(outputs[0].logits, truth[0])
        scores = [label_scores(part.logits, temperature) for part in outputs]
        thresholds = choose_thresholds(scores[0], truth[0])
        given = [part >= np.array(thresholds, dtype=np.float32) for part in scores]
        original = torch_logits(model, outputs[1].tokenized.ids, advance=stage.advance)
        fp32 = _f1(label_scores(original, temperature) >= np.array(thresholds, dtype=np.float32), truth[1])
        parts = [
            _held_out(part, [choose_labels(row, labels, thresholds) for row in found], (answers == wanted).all(axis=1))
            for part, found, answers, wanted in zip(outputs, scores, given, truth, strict=True)
        ]
        outcomes = outcomes_of([label for part in parts for label in part.labels])
        estimate = f1_estimate(_counts(given[1], truth[1]), seed=seed)
        macro = macro_f1_estimate(given[1], truth[1], seed=seed)
        told = score_labels(labels, thresholds, given[1], truth[1])
        hits, answers, wanted_labels = _counts(given[1], truth[1]).sum(axis=0, dtype=np.float64)
        f1 = _f1(given[1], truth[1])
        sliced = parts_of(
            dataset.test,
            outputs[1].tokenized.lengths,
            (given[1] == truth[1]).all(axis=1),
            most=spec.model.max_tokens,
            means="A text is right when all its labels are, and no others were given.",
        )
        return Measured(
            figures={
                "f1": f1,
                "f1_low": estimate.interval.low,
                "f1_high": estimate.interval.high,
                "precision": float(hits / max(answers, 1.0)),
                "recall": float(hits / max(wanted_labels, 1.0)),
                "macro_f1": macro.value,
                "macro_f1_low": macro.interval.low,
                "macro_f1_high": macro.interval.high,
                "accuracy": float((given[1] == truth[1]).all(axis=1).mean()),
                "validation_f1": _f1(given[0], truth[0]),
                "fp32_f1": fp32,
                "quantization_drop": fp32 - f1,
            },
            temperature=temperature,
            reference=held_out_reference(parts, outcomes, fit_projection(training.embeddings), seed=seed),
            rows=len(dataset.test),
            details={"labels": [asdict(one) for one in told], **sliced.details},
            warnings=sliced.warnings,
            sections=(_section(told), *sliced.sections),
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
        tfidf = tfidf_labels(train, test, dataset.labels)
        gain = f1_gain(_counts(ours, truth), _counts(tfidf, truth), seed=0)
        return {
            "majority_f1": _f1(commonest_labels(train, test, dataset.labels), truth),
            "tfidf_f1": _f1(tfidf, truth),
            "beats_tfidf_by": gain.value,
            "beats_tfidf_by_low": gain.interval.low,
            "beats_tfidf_by_high": gain.interval.high,
        }

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


def _counts(given: Bools, truth: Bools) -> Floats:
    """[n, 3]: right labels, labels given, true labels."""
    columns = [(given & truth).sum(axis=1), given.sum(axis=1), truth.sum(axis=1)]
    return np.stack(columns, axis=1).astype(np.float32)


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
    hits, answers, wanted = _counts(given, truth).sum(axis=0, dtype=np.float64)
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
