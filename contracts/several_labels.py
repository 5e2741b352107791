"""Several labels a text, or none: from logits to those that count. Pure, the same in training and serving."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from contracts.joined_labels import joined
from contracts.reference import Floats


@dataclass(frozen=True, slots=True)
class SeveralLabels:
    """The labels of one text with their scores, in the order of the logits."""

    found: tuple[tuple[str, float], ...]
    score: float  # the mean of the labels' scores; where there is none, what the likeliest label lacks to 1

    @property
    def label(self) -> str:
        """The labels joined by "+", or "none": as the prediction log holds it."""
        return joined(label for label, _ in self.found)


def label_scores(logits: Floats, temperature: float) -> Floats:
    """[..., labels] logits -> the probability of each label by itself, sigmoid(logits / temperature)."""
    scaled = np.clip(logits.astype(np.float64) / temperature, -60.0, 60.0)
    scores: Floats = (1.0 / (1.0 + np.exp(-scaled))).astype(np.float32)
    return scores


def choose_labels(scores: Floats, labels: Sequence[str], thresholds: Sequence[float]) -> SeveralLabels:
    """Of one text's [labels] scores those that reach their threshold."""
    chosen = [index for index, threshold in enumerate(thresholds) if scores[index] >= threshold]
    found = tuple((labels[index], float(scores[index])) for index in chosen)
    if not found:
        return SeveralLabels((), 1.0 - float(scores.max()))
    return SeveralLabels(found, sum(score for _, score in found) / len(found))
