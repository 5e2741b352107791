"""From logits to answers: one entry a kind of task, pure."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from contracts.release import Manifest
from contracts.several_labels import label_scores
from contracts.task import Kind
from service.engine.encoding import EncodedText
from service.engine.entities import settle_entities
from service.engine.questions import settle_answer
from service.engine.settled import RowOutput, Settled
from service.engine.several_labels import settle_labels
from service.engine.vectors import settle_vector

Floats = npt.NDArray[np.float32]


@dataclass(frozen=True)
class Scored:
    """The best label of each text of a batch."""

    indices: npt.NDArray[np.int64]  # [batch], into the manifest's labels
    scores: npt.NDArray[np.float64]  # [batch], 0..1


Best = Callable[[Floats, float], Scored]  # (logits [batch, labels], temperature)
Ranked = Callable[[Floats, float, int], list[tuple[int, float]]]  # (logits [labels], temperature, how many)
Settle = Callable[[EncodedText, Sequence[RowOutput], Manifest], Settled]  # one text and all its rows


@dataclass(frozen=True)
class Head:
    """How one kind of task reads what its graph says: by the best label of each row, or by settling each text."""

    best: Best | None = None
    ranked: Ranked | None = None
    settle: Settle | None = None
    has_logits: bool = True
    per_token: bool = False  # logits are [batch, tokens, labels]
    asks: bool = False  # a text is a question in its first line, and its context
    words: bool = False  # settling needs to know where words are


def best_label(logits: Floats, temperature: float) -> Scored:
    """[batch, labels] -> the most probable label and its probability, softmax(logits / temperature).

    Temperature scaling: Guo et al., On Calibration of Modern Neural Networks, 2017, section 4.2.
    """
    scaled = logits.astype(np.float64) / temperature
    scaled -= scaled.max(axis=1, keepdims=True)
    # The best label has exponent 0 after the shift, so its probability is one over the sum.
    return Scored(indices=logits.argmax(axis=1), scores=1.0 / np.exp(scaled).sum(axis=1))


def ranked_labels(logits: Floats, temperature: float, count: int) -> list[tuple[int, float]]:
    """[labels] -> the `count` most probable labels, best first, with their softmax probabilities.

    Labels of one probability keep their order, so that the first is always `best_label`'s.
    """
    scaled = logits.astype(np.float64) / temperature
    exponentials = np.exp(scaled - scaled.max())
    probabilities = exponentials / exponentials.sum()
    order = np.argsort(-logits, kind="stable")[:count]
    return [(int(index), float(probabilities[index])) for index in order]


def ranked_alone(logits: Floats, temperature: float, count: int) -> list[tuple[int, float]]:
    """As `ranked_labels`, with each label's probability by itself: a text may have several."""
    scores = label_scores(logits, temperature)
    return [(int(index), float(scores[index])) for index in np.argsort(-logits, kind="stable")[:count]]


HEADS: dict[Kind, Head] = {
    "classification": Head(best_label, ranked_labels),
    "token-classification": Head(settle=settle_entities, per_token=True, words=True),
    "question-answering": Head(settle=settle_answer, per_token=True, asks=True),
    "similarity": Head(settle=settle_vector, has_logits=False),
}
_SEVERAL_LABELS = Head(ranked=ranked_alone, settle=settle_labels)


def head_of(manifest: Manifest) -> Head:
    """How a release's graph is read. Raises KeyError for a kind that this service does not know."""
    return _SEVERAL_LABELS if manifest.thresholds is not None else HEADS[manifest.kind]
