"""How good a classifier's answers are: pure functions of logits and truth."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from sklearn.metrics import confusion_matrix, precision_recall_fscore_support

from contracts.reference import Floats, Integers
from training.evaluation.calibration import ReliabilityBin, expected_calibration_error, reliability, softmax


@dataclass(frozen=True)
class LabelScore:
    """One label on the test set."""

    label: str
    precision: float
    recall: float
    f1: float
    rows: int


@dataclass(frozen=True)
class Confusion:
    """How often one label was taken for another."""

    truth: str
    predicted: str
    rows: int
    share: float  # of the true label's rows


@dataclass(frozen=True)
class Evaluation:
    """What the test set says of n predictions."""

    rows: int
    accuracy: float
    macro_f1: float
    weighted_f1: float
    ece: float
    ece_uncalibrated: float
    labels: tuple[LabelScore, ...]
    confusions: tuple[Confusion, ...]  # pairs that occur, most rows first
    reliability: tuple[ReliabilityBin, ...]


def evaluate(logits: Floats, truth: Integers, labels: tuple[str, ...], temperature: float) -> Evaluation:
    """Judge [n, labels] logits, n >= 1. F1 is averaged over the labels that occur in `truth`."""
    predicted = logits.argmax(axis=1)
    present = sorted({int(index) for index in truth})
    numbers = list(range(len(labels)))
    precision, recall, f1, support = precision_recall_fscore_support(
        truth, predicted, labels=numbers, average=None, zero_division=0
    )
    matrix = confusion_matrix(truth, predicted, labels=numbers)
    bins = reliability(softmax(logits, temperature), truth)
    return Evaluation(
        rows=len(truth),
        accuracy=float((predicted == truth).mean()),
        macro_f1=float(np.mean(f1[present])),
        weighted_f1=float(np.average(f1[present], weights=support[present])),
        ece=expected_calibration_error(bins),
        ece_uncalibrated=expected_calibration_error(reliability(softmax(logits), truth)),
        labels=tuple(
            LabelScore(labels[i], float(precision[i]), float(recall[i]), float(f1[i]), int(support[i])) for i in numbers
        ),
        confusions=_confusions(matrix, labels),
        reliability=tuple(bins),
    )


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
