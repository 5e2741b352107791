"""How a recipe changes the loss: what it says, and what the training labels make of it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Any

from contracts.errors import TrainingError
from contracts.task import TrainSpec
from training.learning.lesson import Encoded
from training.learning.objective import IGNORED, LossSettings


def loss_settings(recipe: TrainSpec, train: Encoded) -> LossSettings:
    """Raises TrainingError where labels are to be balanced and are none that could be counted."""
    weights: tuple[float, ...] = ()
    if recipe.class_weights == "balanced":
        weights = balanced_weights(list(_label_numbers(train.labels)))
    return LossSettings(recipe.label_smoothing, weights, recipe.focal_gamma)


def balanced_weights(labels: Sequence[int]) -> tuple[float, ...]:
    """By label: rows / (labels that occur x rows of this one), so that each weighs the same in sum."""
    counts = Counter(labels)
    every = len(labels) / len(counts)
    return tuple(every / counts[label] if counts[label] else 1.0 for label in range(max(counts) + 1))


def _label_numbers(labels: Iterable[Any]) -> Iterable[int]:
    """Of rows or of tokens; what is left out of the loss counts for nothing."""
    for label in labels:
        if isinstance(label, int):
            if label != IGNORED:
                yield label
        elif isinstance(label, Sequence) and all(isinstance(one, int) for one in label):
            yield from (one for one in label if one != IGNORED)
        else:
            raise TrainingError(
                '[train] class_weights is "balanced", which is for one label a text or a token. Remove it for this '
                "kind of task."
            )
