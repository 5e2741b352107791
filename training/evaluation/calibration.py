"""Making scores mean what they say: temperature scaling, and the error that is left."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from contracts.reference import Floats, Integers
from training.evaluation.bootstrap import Bools

BINS = 15
_LOWEST, _HIGHEST = 0.05, 20.0


@dataclass(frozen=True)
class ReliabilityBin:
    """Predictions whose score lies in one of 15 equal intervals; empty ones are left out."""

    low: float
    high: float
    rows: int
    score: float
    accuracy: float


def softmax(logits: Floats, temperature: float = 1.0) -> Floats:
    """[n, labels] -> probabilities [n, labels]."""
    scaled = logits.astype(np.float64) / temperature
    powers = np.exp(scaled - scaled.max(axis=1, keepdims=True))
    probabilities: Floats = (powers / powers.sum(axis=1, keepdims=True)).astype(np.float32)
    return probabilities


def fit_temperature(logits: Floats, truth: Integers) -> float:
    """The temperature (0.05..20) with the least cross-entropy on [n, labels] held-out logits, n >= 1.

    Guo et al. 2017, arXiv 1706.04599, section 4.2. The targets are smoothed as Platt (1999, section 2.2) does, (n + 1)
    / (n + 2), so that a model without a single error on few rows does not come out infinitely sure. Cross-entropy is
    convex in the inverse temperature, so its slope is bisected.
    """
    rows, labels = logits.shape
    values = logits.astype(np.float64)
    wrong = 1.0 / (rows + 2.0)
    target = np.full_like(values, wrong / max(labels - 1, 1))
    target[np.arange(rows), truth] = 1.0 - wrong
    wanted = float((target * values).sum())

    def slope(inverse: float) -> float:
        scaled = inverse * values
        powers = np.exp(scaled - scaled.max(axis=1, keepdims=True))
        probabilities = powers / powers.sum(axis=1, keepdims=True)
        return float((probabilities * values).sum()) - wanted

    low, high = 1.0 / _HIGHEST, 1.0 / _LOWEST
    for _ in range(60):
        middle = float(np.sqrt(low * high))
        if slope(middle) > 0:
            high = middle
        else:
            low = middle
    return float(np.clip(1.0 / np.sqrt(low * high), _LOWEST, _HIGHEST))


def reliability(probabilities: Floats, truth: Integers) -> list[ReliabilityBin]:
    """Score against accuracy of the predicted label, in equal intervals of the score."""
    return reliability_of(probabilities.max(axis=1), probabilities.argmax(axis=1) == truth)


def reliability_of(scores: Floats, right: Bools) -> list[ReliabilityBin]:
    """The same of [n] answers of whatever kind, with their scores, 0..1, and whether they are right; n may be 0."""
    index = np.clip((scores * BINS).astype(int), 0, BINS - 1)
    return [
        ReliabilityBin(
            low=number / BINS,
            high=(number + 1) / BINS,
            rows=int((index == number).sum()),
            score=float(scores[index == number].mean()),
            accuracy=float(right[index == number].mean()),
        )
        for number in range(BINS)
        if (index == number).any()
    ]


def brier_score(probabilities: Floats, truth: Integers) -> float:
    """Mean squared distance of [n, labels] probabilities and what was true, 0..2 (Brier 1950); n >= 1."""
    distance = probabilities.astype(np.float64)
    distance[np.arange(len(truth)), truth] -= 1.0
    return float((distance**2).sum(axis=1).mean())


def expected_calibration_error(bins: list[ReliabilityBin]) -> float:
    """Mean distance of score and accuracy, weighted by rows, 0..1 (Guo et al. 2017, equation 5); 0 without rows."""
    rows = sum(entry.rows for entry in bins)
    return sum(entry.rows * abs(entry.score - entry.accuracy) for entry in bins) / rows if rows else 0.0
