"""How good a classifier's answers are: pure functions of logits and truth."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from sklearn.metrics import confusion_matrix, precision_recall_fscore_support

from contracts.reference import Floats, Integers
from training.evaluation.bootstrap import Estimate, accuracy_estimate, indicators, macro_f1_estimate
from training.evaluation.calibration import (
    ReliabilityBin,
    brier_score,
    expected_calibration_error,
    reliability,
    softmax,
)
from training.evaluation.curves import Curves, draw_curves


@dataclass(frozen=True)
class LabelScore:
    """One label on the test set."""

    label: str
    precision: float
    recall: float
    f1: float
    rows: int
    right: int  # of its rows: the diagonal of the confusion matrix
    auc_roc: float | None  # against the rest; None for a label on no row or on all


@dataclass(frozen=True)
class Confusion:
    """How often one label was taken for another."""

    truth: str
    predicted: str
    rows: int
    share: float  # of the true label's rows


@dataclass(frozen=True)
class Average:
    """Precision, recall and F1 over labels."""

    precision: float
    recall: float
    f1: float


@dataclass(frozen=True)
class Evaluation:
    """What the test set says of n predictions. Probabilities are those after temperature scaling."""

    rows: int
    accuracy: float
    macro: Average  # the mean of the labels that occur, each counted once
    micro: Average  # of all answers together; with one label a row each is the accuracy
    weighted: Average  # the mean of the labels, each counted by its rows
    auc_roc: float | None  # mean over labels of one against the rest; None where nothing can be told apart
    accuracy_estimate: Estimate
    macro_f1_estimate: Estimate
    ece: float
    ece_uncalibrated: float
    brier: float
    brier_uncalibrated: float
    labels: tuple[LabelScore, ...]
    confusions: tuple[Confusion, ...]  # pairs that occur, most rows first
    reliability: tuple[ReliabilityBin, ...]
    reliability_uncalibrated: tuple[ReliabilityBin, ...]
    curves: Curves

    @property
    def figures(self) -> dict[str, float]:
        """What the manifest holds of it, by name."""
        accuracy, macro_f1 = self.accuracy_estimate.interval, self.macro_f1_estimate.interval
        found = {
            "accuracy": self.accuracy,
            "accuracy_low": accuracy.low,
            "accuracy_high": accuracy.high,
            "macro_precision": self.macro.precision,
            "macro_recall": self.macro.recall,
            "macro_f1": self.macro.f1,
            "macro_f1_low": macro_f1.low,
            "macro_f1_high": macro_f1.high,
            "micro_f1": self.micro.f1,
            "weighted_precision": self.weighted.precision,
            "weighted_recall": self.weighted.recall,
            "weighted_f1": self.weighted.f1,
            "ece": self.ece,
            "ece_uncalibrated": self.ece_uncalibrated,
            "brier": self.brier,
            "brier_uncalibrated": self.brier_uncalibrated,
        }
        return found if self.auc_roc is None else {**found, "auc_roc": self.auc_roc}


def evaluate(
    logits: Floats, truth: Integers, labels: tuple[str, ...], temperature: float, *, seed: int = 0
) -> Evaluation:
    """Judge [n, labels] logits, n >= 1. Averages are over labels that occur in `truth`; `seed` is the bootstrap's."""
    predicted = logits.argmax(axis=1).astype(np.int64)
    numbers = list(range(len(labels)))
    by_label = precision_recall_fscore_support(truth, predicted, labels=numbers, average=None, zero_division=0)
    precision, recall, f1, support = by_label
    matrix = confusion_matrix(truth, predicted, labels=numbers)
    raw, calibrated = softmax(logits), softmax(logits, temperature)
    bins, raw_bins = reliability(calibrated, truth), reliability(raw, truth)
    answers, wanted = indicators(predicted, len(labels)), indicators(truth, len(labels))
    curves = draw_curves(calibrated, wanted, labels)
    areas = curves.label_auc
    accuracy = accuracy_estimate(predicted == truth, seed=seed)
    once = (support > 0).astype(np.float64)
    return Evaluation(
        rows=len(truth),
        accuracy=accuracy.value,
        macro=_average(precision, recall, f1, once),
        micro=Average(accuracy.value, accuracy.value, accuracy.value),
        weighted=_average(precision, recall, f1, support),
        auc_roc=float(np.mean(list(areas.values()))) if areas else None,
        accuracy_estimate=accuracy,
        macro_f1_estimate=macro_f1_estimate(answers, wanted, seed=seed),
        ece=expected_calibration_error(bins),
        ece_uncalibrated=expected_calibration_error(raw_bins),
        brier=brier_score(calibrated, truth),
        brier_uncalibrated=brier_score(raw, truth),
        labels=tuple(
            LabelScore(
                label=labels[i],
                precision=float(precision[i]),
                recall=float(recall[i]),
                f1=float(f1[i]),
                rows=int(support[i]),
                right=int(matrix[i, i]),
                auc_roc=areas.get(i),
            )
            for i in numbers
        ),
        confusions=_confusions(matrix, labels),
        reliability=tuple(bins),
        reliability_uncalibrated=tuple(raw_bins),
        curves=curves,
    )


def _average(precision: Floats, recall: Floats, f1: Floats, weights: Floats) -> Average:
    return Average(*(float(np.average(values, weights=weights)) for values in (precision, recall, f1)))


def _confusions(
    matrix: np.ndarray[tuple[int, ...], np.dtype[np.int64]], labels: tuple[str, ...]
) -> tuple[Confusion, ...]:
    wrong = matrix.copy()
    np.fill_diagonal(wrong, 0)
    pairs = [(int(i), int(j)) for i, j in zip(*np.nonzero(wrong), strict=True)]
    pairs.sort(key=lambda pair: (-int(wrong[pair]), pair))
    return tuple(
        Confusion(labels[i], labels[j], int(wrong[i, j]), float(wrong[i, j] / matrix[i].sum())) for i, j in pairs
    )
