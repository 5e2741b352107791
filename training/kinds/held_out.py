"""The reference over held-out rows, of whatever kind they are."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from contracts.joined_labels import OTHERS
from contracts.reference import Floats, Reference
from training.artefact.onnx_artefact import Tokenized
from training.evaluation.reference import MAX_ROWS, Projection

# Of the labels that a log may hold when a text can have several; all others count as one.
MOST_OUTCOMES = 50


@dataclass(frozen=True)
class HeldOut:
    """n rows as they were answered."""

    labels: list[str]  # as the prediction log would hold them
    correct: npt.NDArray[np.bool_]
    scores: Floats  # 0..1
    embeddings: Floats  # [n, hidden]
    tokenized: Tokenized


def outcomes_of(labels: Sequence[str]) -> tuple[str, ...]:
    """The labels that occur, the most frequent first, and a last one that stands for all others."""
    counted = Counter(labels)
    kept = sorted(counted, key=lambda label: (-counted[label], label))[:MOST_OUTCOMES]
    return (*kept, OTHERS)


def held_out_reference(
    parts: Sequence[HeldOut], outcomes: Sequence[str], projection: Projection, *, seed: int
) -> Reference:
    """Over all rows of the parts, or a random choice of 3000 of them."""
    labels = [label for part in parts for label in part.labels]
    rows = np.sort(np.random.default_rng(seed).permutation(len(labels))[:MAX_ROWS])
    index = {label: number for number, label in enumerate(outcomes)}
    read = [part.tokenized for part in parts]
    embeddings = np.concatenate([part.embeddings for part in parts])[rows]
    return Reference(
        predicted=np.array([index.get(labels[row], len(outcomes) - 1) for row in rows], dtype=np.int64),
        correct=np.concatenate([part.correct for part in parts])[rows],
        scores=np.concatenate([part.scores for part in parts])[rows].astype(np.float32),
        lengths=np.concatenate([one.lengths for one in read])[rows],
        unknown_shares=np.concatenate([one.unknown_shares for one in read])[rows],
        fragmentation=np.concatenate([one.fragmentation for one in read])[rows],
        projections=((embeddings - projection.mean) @ projection.components).astype(np.float32),
        projection_mean=projection.mean,
        projection_components=projection.components,
    )
