"""Permutation p-values: exact at any window size, for ties, and for rare classes.

Under the null hypothesis window and reference are exchangeable, so the statistic of the real split is one more
draw of the statistic of random splits, and (k+1)/(B+1) is a valid p-value (Phipson and Smyth 2010,
arXiv 1603.05766). Draws stop early when the answer is plainly "no" (Besag and Clifford 1991, Sequential Monte
Carlo p-values, Biometrika 78): after the h-th exceedance at draw l, p is h/l, which is valid too.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal

import numpy as np
import numpy.typing as npt

Doubles = npt.NDArray[np.float64]
Counts = npt.NDArray[np.int64]

# Six detectors at 0.01 need p <= 0.00167 before Holm's correction; 1/2000 leaves room below it.
DRAWS = 1999
FIRST_BLOCK = 199
ENOUGH_EXCEEDANCES = 20
# Pooled quantile bins: a distance between distributions is known to 1/256, far below any effect floor.
MOST_BINS = 256


def p_value(observed: float, draw: Callable[[int], Doubles]) -> float:
    """Share of random splits at least as extreme as `observed`, in (0, 1].

    `draw(n)` gives n statistics of random splits. Ties count against the alarm, rounding errors included.
    """
    threshold = observed - 1e-9 * max(1.0, abs(observed))
    exceedances = 0
    drawn = 0
    while drawn < DRAWS:
        block = draw(FIRST_BLOCK if drawn == 0 else DRAWS - drawn)
        reached = exceedances + np.cumsum(block >= threshold)
        if reached[-1] >= ENOUGH_EXCEEDANCES:
            at = int(np.argmax(reached >= ENOUGH_EXCEEDANCES))
            return ENOUGH_EXCEEDANCES / (drawn + at + 1)
        exceedances = int(reached[-1])
        drawn += len(block)
    return (exceedances + 1) / (drawn + 1)


# Traits that differ by less are the same to a detector.
SAME_DECIMALS = 4


def binned(reference: npt.NDArray[np.generic], window: npt.NDArray[np.generic]) -> tuple[Counts, Counts]:
    """Counts of both samples over bins in ascending order: one a value, or pooled quantiles where those are many.

    Bins are made from the pooled sample, which leaves the two exchangeable.
    """
    # A reference keeps 32-bit numbers and the log rounded decimals: 7/6 must be one value in both, not two.
    pooled = np.round(np.concatenate([reference, window]).astype(np.float64), SAME_DECIMALS)
    values, index = np.unique(pooled, return_inverse=True)
    if len(values) > MOST_BINS:
        ranks = np.cumsum(np.bincount(index)) - 1
        index = (ranks * MOST_BINS // len(pooled))[index]
    bins = int(index.max()) + 1
    split = len(reference)
    return (
        np.bincount(index[:split], minlength=bins).astype(np.int64),
        np.bincount(index[split:], minlength=bins).astype(np.int64),
    )


def split_draws(pooled: Counts, rows: int, generator: np.random.Generator) -> Callable[[int], Doubles]:
    """Draws of the counts, [n, bins], that `rows` texts taken at random from the pooled sample have."""
    # One method's cost grows with the rows, the other's with the bins, of which each costs about as much as six rows.
    method: Literal["count", "marginals"] = "count" if rows < 6 * len(pooled) else "marginals"

    def draw(size: int) -> Doubles:
        return generator.multivariate_hypergeometric(pooled, rows, size=size, method=method).astype(np.float64)

    return draw
