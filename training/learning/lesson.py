"""What is learned from, and what is remembered of each pass over it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from training.learning.network import Network


@dataclass(frozen=True)
class Encoded:
    """n texts as token ids, with what is to be learned of each: of a label a text, its index."""

    ids: Sequence[Sequence[int]]
    labels: Sequence[Any]
    segments: Sequence[Sequence[int]] | None = None  # token type ids, where a text is made of several

    def __len__(self) -> int:
        return len(self.ids)

    def first(self, count: int) -> Encoded:
        """The first so many of them."""
        segments = None if self.segments is None else self.segments[:count]
        return Encoded(self.ids[:count], self.labels[:count], segments)

    def row(self, index: int) -> dict[str, Any]:
        """One of them, as an objective makes batches of."""
        row = {"input_ids": self.ids[index], "labels": self.labels[index]}
        if self.segments is not None:
            row["token_type_ids"] = self.segments[index]
        return row


@dataclass(frozen=True)
class Teacher:
    """A model whose probabilities are learned beside the true labels, with this weight, 0..1."""

    model: Network
    weight: float


@dataclass(frozen=True)
class Epoch:
    """One pass over the training texts, and what validation said afterwards.

    `validation_score` is the objective's, such as accuracy.
    """

    number: int
    train_loss: float
    validation_loss: float
    validation_score: float


def best_epoch(epochs: Sequence[Epoch]) -> Epoch:
    """Of the highest validation score, then of the lowest validation loss, then the earliest."""
    return max(epochs, key=lambda epoch: (epoch.validation_score, -epoch.validation_loss, -epoch.number))


def epochs_without_gain(epochs: Sequence[Epoch]) -> int:
    """Epochs since the validation score was last better than ever before."""
    most = max(epoch.validation_score for epoch in epochs)
    return len(epochs) - next(epoch.number for epoch in epochs if epoch.validation_score == most)
