"""How a network learns which texts are near each other, from pairs of texts.

A row holds the first text's tokens; its label is the second text's tokens with either the pair's score, or the number
of the group that the two belong to. In a batch the pairs stand one after the other, first and second in turn.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from contracts.vectors import unit
from training.kinds.nearness import recall_at, spearman
from training.learning.objective import Arrays, Objective, Row, pad_batch

# Cosines are sharpened by it: 1 / 0.05, as Gao et al. 2021 (SimCSE, arXiv 2104.08821, section 3.1) have it.
_SCALE = 20.0


def _collate(rows: Sequence[Row]) -> dict[str, Tensor]:
    ids: list[Sequence[int]] = []
    targets: list[float] = []
    for row in rows:
        second, target = row["labels"]
        ids += [row["input_ids"], second]
        targets += [target, target]
    return {**pad_batch(ids), "labels": torch.tensor(targets)}


def contrast_loss(vectors: Tensor, groups: Tensor, scale: float = _SCALE) -> Tensor:
    """Of [n, hidden] vectors, each shall be nearer to those of its group than to all others in the batch.

    Khosla et al. 2020, arXiv 2004.11362, equation 2 (L_out). With groups of two it is InfoNCE with negatives from the
    batch, both ways (van den Oord et al. 2018, arXiv 1807.03748).
    """
    normal = functional.normalize(vectors.float(), dim=-1)
    itself = torch.eye(len(groups), dtype=torch.bool, device=vectors.device)
    logs = functional.log_softmax((scale * normal @ normal.T).masked_fill(itself, -1e4), dim=-1)
    mates = (groups[:, None] == groups[None, :]) & ~itself
    return -((logs * mates).sum(dim=-1) / mates.sum(dim=-1).clamp(min=1)).mean()


def cosine_loss(vectors: Tensor, scores: Tensor) -> Tensor:
    """Mean squared distance of the cosine of each pair and its score, -1..1 (Reimers and Gurevych 2019, section 3)."""
    cosines = functional.cosine_similarity(vectors[0::2].float(), vectors[1::2].float(), dim=-1)
    return functional.mse_loss(cosines, scores[0::2])


def _taught_loss(vectors: Tensor, taught: Tensor) -> Tensor:
    return (1 - functional.cosine_similarity(vectors.float(), taught.float(), dim=-1)).mean()


def _nearest_share(outputs: Arrays, labels: Arrays) -> float:
    vectors, groups = unit(np.concatenate(outputs)), np.concatenate(labels)
    return recall_at((1,), vectors, groups, vectors, groups, same=True)[1]


def _rank_correlation(outputs: Arrays, labels: Arrays) -> float:
    vectors = unit(np.concatenate(outputs))
    return spearman((vectors[0::2] * vectors[1::2]).sum(axis=1), np.concatenate(labels)[0::2])


MATCHES = Objective(
    score_name="recall at 1",
    collate=_collate,
    loss=lambda vectors, groups, _: contrast_loss(vectors, groups),
    score=_nearest_share,
    soft_loss=lambda vectors, taught, _: _taught_loss(vectors, taught),
    output="embedding",
)
SCORED_PAIRS = Objective(
    score_name="rank correlation",
    collate=_collate,
    loss=lambda vectors, scores, _: cosine_loss(vectors, scores),
    score=_rank_correlation,
    soft_loss=lambda vectors, taught, _: _taught_loss(vectors, taught),
    output="embedding",
)
