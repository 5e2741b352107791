"""The ways from labelled texts to a trained network: a closed set."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Protocol

from contracts.recipes import Recipe
from contracts.task import TrainSpec
from training.learning.finetune import Encoded, Epoch, fine_tune
from training.learning.network import Network
from training.progress import Stage
from training.recipes.few_labels import contrast


class Learns(Protocol):
    """Trains in place, leaves the weights of the best epoch in the model on the CPU, and returns all epochs.

    `watch` is told each epoch as it ends, and may stop the training by raising.
    """

    def __call__(
        self,
        model: Network,
        train: Encoded,
        validation: Encoded,
        recipe: TrainSpec,
        *,
        folder: Path,
        stage: Stage,
        watch: Callable[[Epoch], None] | None = None,
    ) -> list[Epoch]: ...


RECIPES: dict[Recipe, Learns] = {"fine-tune": fine_tune, "contrastive": contrast}
