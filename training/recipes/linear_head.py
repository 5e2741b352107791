"""A logistic regression on fixed embeddings, as the weights of a network's head."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from scipy.special import log_softmax
from sklearn.linear_model import LogisticRegression
from torch import nn

from contracts.reference import Floats, Integers

# Inverse strengths of the L2 penalty, from which validation chooses; embeddings are scaled to a mean length of 1.
STRENGTHS = (1.0, 10.0, 100.0)
_ITERATIONS = 300


@dataclass(frozen=True)
class LinearHead:
    """logits = embedding @ weight.T + bias; `weight` is [labels, hidden], `bias` [labels]."""

    weight: Floats
    bias: Floats
    strength: float
    validation_loss: float
    validation_accuracy: float

    def write_to(self, layer: nn.Linear) -> None:
        """Make a network's last layer say the same."""
        with torch.no_grad():
            layer.weight.copy_(torch.from_numpy(self.weight))
            layer.bias.copy_(torch.from_numpy(self.bias))


def fit_head(
    train: Floats,
    labels: Integers,
    validation: Floats,
    truth: Integers,
    *,
    count: int,
    strengths: Sequence[float] = STRENGTHS,
) -> LinearHead:
    """The head, of those that the strengths give, with the lowest validation loss.

    `train` and `validation` are [n, hidden]; `labels` and `truth` [n], 0..count-1, each of them among `labels`.
    """
    scale = float(np.linalg.norm(train, axis=1).mean()) or 1.0
    heads = [_fit(train, labels, validation, truth, count, strength, scale) for strength in strengths]
    return min(heads, key=lambda head: head.validation_loss)


def _fit(
    train: Floats, labels: Integers, validation: Floats, truth: Integers, count: int, strength: float, scale: float
) -> LinearHead:
    model = LogisticRegression(C=strength, max_iter=_ITERATIONS, tol=1e-4).fit(train / scale, labels)
    weight, bias = np.asarray(model.coef_), np.asarray(model.intercept_)
    if count == 2:
        # Of two labels it tells the difference of their logits alone.
        weight, bias = np.concatenate([-weight, weight]) / 2, np.concatenate([-bias, bias]) / 2
    weight = (weight / scale).astype(np.float32)
    bias = bias.astype(np.float32)
    logits = validation @ weight.T + bias
    losses = -log_softmax(logits, axis=1)[np.arange(len(truth)), truth]
    return LinearHead(
        weight=weight,
        bias=bias,
        strength=strength,
        validation_loss=float(losses.mean()),
        validation_accuracy=float((logits.argmax(axis=1) == truth).mean()),
    )
