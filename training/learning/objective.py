"""What a network learns by: how its batches are made, its loss, and the score that picks the best epoch."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor
from torch.nn import functional

IGNORED = -100  # the label of places that count for nothing, as torch and the Trainer have it
_SOFTENING = 2.0  # temperature of soft labels; Hinton et al. 2015, arXiv 1503.02531, section 2

Row = Mapping[str, Any]  # `input_ids`, `labels`, and `token_type_ids` where the kind of task has segments
Arrays = Sequence[npt.NDArray[Any]]


@dataclass(frozen=True)
class LossSettings:
    """What a recipe changes about a loss."""

    label_smoothing: float = 0.0
    class_weights: tuple[float, ...] = ()  # by label; empty: all weigh the same
    focal_gamma: float = 0.0


@dataclass(frozen=True)
class Objective:
    """How one kind of task learns. The network's `output` is what loss, score and soft labels read."""

    score_name: str  # as a person reads it, such as `accuracy`
    collate: Callable[[Sequence[Row]], dict[str, Tensor]]  # rows -> the network's inputs, and `labels`
    loss: Callable[[Tensor, Tensor, LossSettings], Tensor]  # (output, labels) -> mean loss
    score: Callable[[Arrays, Arrays], float]  # (batches of the output, batches of labels) -> 0..1, larger is better
    soft_loss: Callable[[Tensor, Tensor, Tensor], Tensor] | None  # (output, teacher's, labels); None: cannot be taught
    output: str = "logits"
    # What the mean of `loss` is over, so that means of parts can be put together: rows, where nothing else is said.
    weight: Callable[[Tensor, LossSettings], float] = lambda labels, _: float(len(labels))


def pad(rows: Sequence[Sequence[int]], value: int = 0) -> Tensor:
    """Rows of numbers as one tensor [rows, longest]."""
    longest = max(len(row) for row in rows)
    # In numpy: torch takes ten times as long for a row, and a graphics card waits for it.
    padded = np.full((len(rows), longest), value, dtype=np.int64)
    for index, row in enumerate(rows):
        padded[index, : len(row)] = row
    return torch.from_numpy(padded)


def pad_batch(rows: Sequence[Sequence[int]], segments: Sequence[Sequence[int]] | None = None) -> dict[str, Tensor]:
    """Token ids to the longest of the batch; what stands in masked places does not matter, so zeros do."""
    batch = {"input_ids": pad(rows), "attention_mask": pad([[1] * len(row) for row in rows])}
    return batch if segments is None else {**batch, "token_type_ids": pad(segments)}


def collate_inputs(rows: Sequence[Row]) -> dict[str, Tensor]:
    """The network's inputs, segments included where the rows have them."""
    segments = [row["token_type_ids"] for row in rows] if "token_type_ids" in rows[0] else None
    return pad_batch([row["input_ids"] for row in rows], segments)


def cross_entropy(logits: Tensor, labels: Tensor, settings: LossSettings) -> Tensor:
    """[..., labels] logits against [...] label indices, those that are -100 left out; the mean over `label_weight`.

    With gamma above 0 it is the focal loss, (1 - p)^gamma times as much (Lin et al. 2017, arXiv 1708.02002).
    """
    logits, labels = logits.flatten(0, -2), labels.flatten()
    losses = functional.cross_entropy(
        logits,
        labels,
        weight=_class_weights(settings, logits) if settings.class_weights else None,
        ignore_index=IGNORED,
        label_smoothing=settings.label_smoothing,
        reduction="none",
    )
    if settings.focal_gamma > 0:
        true = functional.softmax(logits, dim=-1).gather(1, labels.clamp(min=0).unsqueeze(1)).squeeze(1)
        losses = losses * (1.0 - true).clamp(min=0.0) ** settings.focal_gamma
    return losses.sum() / max(label_weight(labels, settings), 1e-9)


def _class_weights(settings: LossSettings, logits: Tensor) -> Tensor:
    """[labels]; those beyond the last that is trained on weigh 1."""
    weights = torch.ones(logits.shape[-1], device=logits.device)
    weights[: len(settings.class_weights)] = torch.tensor(settings.class_weights, device=logits.device)
    return weights


def label_weight(labels: Tensor, settings: LossSettings) -> float:
    """The number of labels that are not -100, or the sum of their weights."""
    counted = labels[labels != IGNORED]
    if not settings.class_weights:
        return float(len(counted))
    return float(torch.tensor(settings.class_weights, device=labels.device)[counted].sum())


def soft_label_loss(logits: Tensor, taught: Tensor) -> Tensor:
    """Kullback-Leibler divergence of softened distributions, scaled by the temperature squared (Hinton et al. 2015)."""
    student = functional.log_softmax(logits / _SOFTENING, dim=-1)
    teacher = functional.log_softmax(taught / _SOFTENING, dim=-1)
    return functional.kl_div(student, teacher, reduction="batchmean", log_target=True) * _SOFTENING**2


def soft_cross_entropy(logits: Tensor, taught: Tensor, labels: Tensor) -> Tensor:
    """`soft_label_loss` over the places that have a label."""
    counted = labels.flatten() != IGNORED
    return soft_label_loss(logits.flatten(0, -2)[counted], taught.flatten(0, -2)[counted])


def _collate_labelled(rows: Sequence[Row]) -> dict[str, Tensor]:
    return {**collate_inputs(rows), "labels": torch.tensor([row["labels"] for row in rows], dtype=torch.long)}


def _accuracy(outputs: Arrays, labels: Arrays) -> float:
    right = np.concatenate([out.argmax(axis=-1) == wanted for out, wanted in zip(outputs, labels, strict=True)])
    return float(right.mean())


ONE_LABEL = Objective(
    score_name="accuracy",
    collate=_collate_labelled,
    loss=cross_entropy,
    score=_accuracy,
    soft_loss=soft_cross_entropy,
    weight=label_weight,
)
