"""Which texts meet in a batch, and what the encoder loses by how it places them."""

from __future__ import annotations

import random
from collections import defaultdict
from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn import functional


def batches_of_pairs(labels: Sequence[int], size: int, together: int, rng: random.Random) -> list[list[int]]:
    """Row numbers in batches of at most `size` (and at least `together`), each text once an epoch or a little more.

    A label's texts come in groups of `together`, so that every text of a batch has a positive pair there. The last
    group of a label is filled with others of its texts; a label with one text meets itself, which dropout makes
    another pair (Gao et al. 2021, arXiv 2104.08821).
    """
    by_label: dict[int, list[int]] = defaultdict(list)
    for row, label in enumerate(labels):
        by_label[label].append(row)
    groups = []
    for label in sorted(by_label):
        rows = by_label[label]
        rng.shuffle(rows)
        for start in range(0, len(rows), together):
            group = rows[start : start + together]
            others = rows[:start] or rows
            groups.append(group + [rng.choice(others) for _ in range(together - len(group))])
    rng.shuffle(groups)
    count = max(1, size // together)
    return [[row for group in groups[start : start + count] for row in group] for start in range(0, len(groups), count)]


def contrastive_loss(embeddings: Tensor, labels: Tensor, temperature: float) -> Tensor:
    """Supervised contrastive loss over all pairs of a batch: [n, hidden], [n] -> a scalar.

    Khosla et al. 2020, arXiv 2004.11362, equation 2, on L2-normalised embeddings. An anchor without a positive pair
    counts for nothing; a batch without any pair loses 0.
    """
    placed = functional.normalize(embeddings.float(), dim=-1)
    itself = torch.eye(len(placed), dtype=torch.bool, device=placed.device)
    cosines = (placed @ placed.T / temperature).masked_fill(itself, float("-inf"))
    shares = cosines.log_softmax(dim=-1).masked_fill(itself, 0.0)
    positive = (labels.unsqueeze(0) == labels.unsqueeze(1)) & ~itself
    pairs = positive.sum(dim=-1)
    anchors = pairs > 0
    if not bool(anchors.any()):
        return embeddings.sum() * 0.0
    return -((shares * positive).sum(dim=-1)[anchors] / pairs[anchors]).mean()
