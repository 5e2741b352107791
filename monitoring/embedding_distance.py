"""Energy distance between two samples of vectors, and its distribution over random splits.

Source: Szekely and Rizzo 2013, Energy statistics, J. Stat. Plan. Inference 143. With X, X' from one sample and Y, Y'
from the other it is 2 E|X-Y| - E|X-X'| - E|Y-Y'|; divided by 2 E|X-Y| it lies in 0..1 (their coefficient H). It has no
bandwidth to choose, unlike a kernel's maximum mean discrepancy. Where a share e of one sample is foreign it grows with
e squared, so the effect is its root.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from monitoring.permutation import Doubles


@dataclass(frozen=True)
class EmbeddingSplit:
    """Pairwise distances of the pooled sample, and the real split's statistic."""

    distances: npt.NDArray[np.float32]  # [n, n], scaled to a mean of 1
    row_sums: Doubles  # [n]
    window_rows: int
    score: float  # unbiased energy distance, in units of the mean pairwise distance; about 0 without drift
    effect: float  # 0..1

    @classmethod
    def of(cls, reference: Doubles, window: Doubles) -> EmbeddingSplit:
        """Of [n, k] and [m, k] vectors, each with at least two rows."""
        pooled = np.concatenate([reference, window])
        # Centred first: large common offsets would cost precision in the squares.
        pooled = pooled - pooled.mean(axis=0)
        squares = np.square(pooled).sum(axis=1)
        gaps = squares[:, None] + squares[None, :] - 2.0 * (pooled @ pooled.T)
        np.fill_diagonal(gaps, 0.0)
        distances = np.sqrt(np.maximum(gaps, 0.0))
        mean = float(distances.mean())
        if mean > 0:
            distances /= mean
        sums = distances.sum(axis=1)
        rows = len(window)
        members = np.zeros((1, len(pooled)), dtype=np.float32)
        members[0, len(reference) :] = 1.0
        narrow = distances.astype(np.float32)
        score, between = (float(part[0]) for part in _energy(narrow, sums, members, rows))
        effect = float(np.sqrt(np.clip(score / (2.0 * between), 0.0, 1.0))) if between > 0 else 0.0
        return cls(narrow, sums, rows, score, effect)

    def draw(self, size: int, generator: np.random.Generator) -> Doubles:
        """[size] scores of random splits."""
        total = len(self.distances)
        keys = generator.random((size, total), dtype=np.float32)
        chosen = np.argpartition(keys, self.window_rows - 1, axis=1)[:, : self.window_rows]
        members = np.zeros((size, total), dtype=np.float32)
        np.put_along_axis(members, chosen, 1.0, axis=1)
        return _energy(self.distances, self.row_sums, members, self.window_rows)[0]


def _energy(
    distances: npt.NDArray[np.float32], sums: Doubles, members: npt.NDArray[np.float32], rows: int
) -> tuple[Doubles, Doubles]:
    """Energy distances and mean distances between the sides, [b] each, of b splits given as 0/1 [b, n]."""
    others = len(distances) - rows
    within = ((members @ distances) * members).sum(axis=1, dtype=np.float64)
    between = members.astype(np.float64) @ sums - within
    outside = float(sums.sum()) - within - 2.0 * between
    mean_between = between / (rows * others)
    energy: Doubles = 2.0 * mean_between - within / (rows * (rows - 1)) - outside / (others * (others - 1))
    return energy, mean_between
