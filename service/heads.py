"""From logits to answers: one entry a kind of task, pure."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from contracts.task import Kind

Floats = npt.NDArray[np.float32]


@dataclass(frozen=True)
class Scored:
    """The best label of each text of a batch."""

    indices: npt.NDArray[np.int64]  # [batch], into the manifest's labels
    scores: npt.NDArray[np.float64]  # [batch], 0..1


Head = Callable[[Floats, float], Scored]


def classification(logits: Floats, temperature: float) -> Scored:
    """[batch, labels] -> the most probable label and its probability, softmax(logits / temperature).

    Temperature scaling: Guo et al., On Calibration of Modern Neural Networks, 2017, section 4.2.
    """
    scaled = logits.astype(np.float64) / temperature
    scaled -= scaled.max(axis=1, keepdims=True)
    # The best label has exponent 0 after the shift, so its probability is one over the sum.
    return Scored(indices=logits.argmax(axis=1), scores=1.0 / np.exp(scaled).sum(axis=1))


HEADS: dict[Kind, Head] = {"classification": classification}
