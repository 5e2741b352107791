"""How a network learns where an answer starts and ends."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor
from torch.nn import functional

from contracts.question_windows import Window
from training.learning.objective import Arrays, LossSettings, Objective, Row, collate_inputs, soft_label_loss

_LEFT_OUT = -100.0  # as the Trainer pads what it puts together; less than any share
_NEVER = -1e4  # as a logit: no probability, and no infinity that a gradient would choke on


def span_targets(window: Window, answers: Sequence[tuple[int, int]]) -> list[tuple[float, float]]:
    """For each token of a window, its share of the true starts and of the true ends.

    `answers` are characters of the context. What stands not whole in the window counts as no answer, which is its
    first token. Tokens of the question are left out: no answer starts there.
    """
    places = [place for start, end in answers if (place := _places(window, start, end)) is not None] or [(0, 0)]
    targets = [(_LEFT_OUT, _LEFT_OUT)] * len(window.ids)
    for place in (0, *range(window.first, window.first + len(window.spans))):
        starts = sum(place == start for start, _ in places) / len(places)
        ends = sum(place == end for _, end in places) / len(places)
        targets[place] = (starts, ends)
    return targets


def _places(window: Window, start: int, end: int) -> tuple[int, int] | None:
    """The first and last token of the window that hold characters of an answer that is whole within it."""
    held = [place for place, (first, last) in enumerate(window.spans) if first < end and last > start]
    if not held or window.spans[0][0] > start or window.spans[-1][1] < end:
        return None
    return window.first + held[0], window.first + held[-1]


def _collate(rows: Sequence[Row]) -> dict[str, Tensor]:
    inputs = collate_inputs(rows)
    labels = torch.full((*inputs["input_ids"].shape, 2), _LEFT_OUT)
    for index, row in enumerate(rows):
        labels[index, : len(row["labels"])] = torch.tensor(row["labels"], dtype=torch.float32)
    return {**inputs, "labels": labels}


def _span_loss(logits: Tensor, labels: Tensor, settings: LossSettings) -> Tensor:
    """Cross-entropy of starts and of ends, [batch, tokens, 2] each, over the tokens where answers may be."""
    counted = labels >= 0
    wanted = torch.where(counted, labels, 0.0)
    if settings.label_smoothing:
        even = counted / counted.sum(dim=1, keepdim=True)
        wanted = (1 - settings.label_smoothing) * wanted + settings.label_smoothing * even
    logs = functional.log_softmax(logits.float().masked_fill(~counted, _NEVER), dim=1)
    return -(wanted * logs).sum(dim=1).mean()


def _taught_loss(logits: Tensor, taught: Tensor, labels: Tensor) -> Tensor:
    counted = labels >= 0
    pupil, teacher = (found.masked_fill(~counted, _NEVER).transpose(1, 2).flatten(0, 1) for found in (logits, taught))
    return soft_label_loss(pupil, teacher)


def _found_share(outputs: Arrays, labels: Arrays) -> float:
    """Share of windows whose likeliest start and end are both true ones."""
    found = [_found(logits, wanted) for logits, wanted in zip(outputs, labels, strict=True)]
    return float(np.concatenate(found).mean())


def _found(logits: npt.NDArray[Any], labels: npt.NDArray[Any]) -> npt.NDArray[np.bool_]:
    best = np.where(labels >= 0, logits, -np.inf).argmax(axis=1)
    chosen = np.take_along_axis(labels, best[:, None], axis=1)[:, 0]
    return np.asarray((chosen > 0).all(axis=1))


SPANS = Objective(
    score_name="windows read right", collate=_collate, loss=_span_loss, score=_found_share, soft_loss=_taught_loss
)
