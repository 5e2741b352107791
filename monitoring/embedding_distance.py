"""Maximum mean discrepancy between two samples of vectors, and its distribution over random splits.

Source: Gretton et al. 2012, A Kernel Two-Sample Test, JMLR 13, lemma 6 (unbiased form): the mean similarity within
each sample, added, less twice that between them. Similarity is exp(-distance / bandwidth). The bandwidth is a quarter
of the median distance: what comes first is a few foreign texts among many usual ones, and on real sentence embeddings
a narrow kernel sees those in windows in which the usual choice, the whole median, and energy distance mostly do not.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from monitoring.permutation import Doubles

BANDWIDTH = 0.25  # of the pooled sample's median distance


@dataclass(frozen=True)
class EmbeddingSplit:
    """Pairwise similarities of the pooled sample, and the real split's statistic."""

    similarities: npt.NDArray[np.float32]  # [n, n], 0..1, zero on the diagonal
    row_sums: Doubles  # [n]
    window_rows: int
    score: float  # squared discrepancy, unbiased, over its own largest value; about 0 without drift, 1 at the most
    effect: float  # its root, 0..1, which grows in proportion to the share of foreign texts

    @classmethod
    def of(cls, reference: Doubles, window: Doubles) -> EmbeddingSplit:
        """Of [n, k] and [m, k] vectors, each with at least two rows."""
        pooled = np.concatenate([reference, window])
        # Centred first: large common offsets would cost precision in the squares.
        pooled = pooled - pooled.mean(axis=0)
        squares = np.square(pooled).sum(axis=1)
        distances = np.sqrt(np.maximum(squares[:, None] + squares[None, :] - 2.0 * (pooled @ pooled.T), 0.0))
        # Where most texts are one and the same the median is 0, and the mean is not.
        scale = BANDWIDTH * float(np.median(distances)) or BANDWIDTH * float(distances.mean())
        kernel = np.exp(-distances / scale) if scale > 0 else np.ones_like(distances)
        np.fill_diagonal(kernel, 0.0)
        members = np.zeros((1, len(pooled)), dtype=np.float32)
        members[0, len(reference) :] = 1.0
        narrow = kernel.astype(np.float32)
        sums = narrow.sum(axis=1, dtype=np.float64)
        score = float(_discrepancy(narrow, sums, members, len(window))[0])
        return cls(narrow, sums, len(window), score, float(np.sqrt(np.clip(score, 0.0, 1.0))))

    def draw(self, size: int, generator: np.random.Generator) -> Doubles:
        """[size] scores of random splits."""
        total = len(self.similarities)
        keys = generator.random((size, total), dtype=np.float32)
        chosen = np.argpartition(keys, self.window_rows - 1, axis=1)[:, : self.window_rows]
        members = np.zeros((size, total), dtype=np.float32)
        np.put_along_axis(members, chosen, 1.0, axis=1)
        return _discrepancy(self.similarities, self.row_sums, members, self.window_rows)


def _discrepancy(
    kernel: npt.NDArray[np.float32], sums: Doubles, members: npt.NDArray[np.float32], rows: int
) -> Doubles:
    """Normalised squared discrepancies, [b], of b splits given as 0/1 in [b, n]; each side has two rows at least."""
    others = len(kernel) - rows
    within = ((members @ kernel) * members).sum(axis=1, dtype=np.float64)
    between = members.astype(np.float64) @ sums - within
    outside = float(sums.sum()) - within - 2.0 * between
    similar = within / (rows * (rows - 1)) + outside / (others * (others - 1))
    across = 2.0 * between / (rows * others)
    # Vectors that are all far from each other are similar to none: then there is nothing to compare.
    found: Doubles = np.divide(similar - across, similar, out=np.zeros_like(similar), where=similar > 0)
    return found
