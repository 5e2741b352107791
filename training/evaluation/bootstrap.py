"""How far a figure would move with another test set of the same size: percentile bootstrap intervals.

Efron 1979, "Bootstrap methods: another look at the jackknife"; rows are drawn with replacement, the figure is taken of
each resample, and the interval is what lies between the 2.5th and the 97.5th percentile of them. It is moved by the
resamples' bias (their mean less the figure), which macro F1 over labels with few rows has, and a mean has not. Two
models over the same rows are compared on the same resamples (Koehn 2004, "Statistical significance tests for machine
translation evaluation", section 5), which is what makes a small difference visible. A mean of differences row by row
needs no resamples, which would call one row in forty a difference, or none no doubt at all: its interval is from a
formula.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, dataclass
from math import sqrt
from statistics import NormalDist

import numpy as np
import numpy.typing as npt

from contracts.reference import Floats
from training.evaluation.proportions import Interval, wilson

RESAMPLES = 1000
CONFIDENCE = 0.95
_CELLS = 4_000_000  # of one block of resamples, so that a large test set does not fill the memory
Bools = npt.NDArray[np.bool_]


@dataclass(frozen=True)
class Estimate:
    """A figure with its interval."""

    value: float
    interval: Interval

    def figures(self, name: str) -> dict[str, float]:
        """What the manifest holds of it: itself, and its interval in `_low` and `_high`."""
        return {name: self.value, f"{name}_low": self.interval.low, f"{name}_high": self.interval.high}


def intervals_content(estimates: Mapping[str, Estimate]) -> dict[str, object]:
    """The intervals by the figures' names, and how they were made, for metrics.json."""
    return {
        "confidence": CONFIDENCE,
        "resamples": RESAMPLES,
        **{name: asdict(one.interval) for name, one in estimates.items()},
    }


def accuracy_estimate(right: Bools, *, seed: int, resamples: int = RESAMPLES) -> Estimate:
    """The share of [n] answers that are right, n >= 1. Where all are or none is, resamples cannot differ: Wilson's."""
    if right.all() or not right.any():
        return Estimate(float(right[0]), wilson(float(right.sum()), len(right)))
    return mean_estimate(right.astype(np.float32), lowest=0.0, seed=seed, resamples=resamples)


def mean_estimate(values: Floats, *, lowest: float, seed: int, resamples: int = RESAMPLES) -> Estimate:
    """The mean of [n] values from `lowest` to 1, n >= 1."""
    found = _resampled(len(values), lambda counts: (counts @ values) / np.float32(len(values)), seed, resamples)
    return _estimate(float(values.astype(np.float64).mean()), found, lowest, biased=False)


def paired_gain(values: Floats) -> Estimate:
    """The mean of [n] differences row by row, each from -1 to 1, n >= 1.

    Bonett and Price 2012, "Adjusted Wald confidence interval for a difference of binomial proportions based on paired
    data": the normal interval once two rows more are counted, one for each side. Differences between -1 and 1 are taken
    as they are.
    """
    mean = float(values.astype(np.float64).mean())
    more = np.concatenate([values.astype(np.float64), [1.0, -1.0]])
    half = NormalDist().inv_cdf((1 + CONFIDENCE) / 2) * sqrt(float(more.var()) / len(more))
    middle = float(more.mean())
    return Estimate(mean, Interval(max(-1.0, min(mean, middle - half)), min(1.0, max(mean, middle + half))))


def macro_f1_estimate(predicted: Bools, wanted: Bools, *, seed: int, resamples: int = RESAMPLES) -> Estimate:
    """Mean F1 of the labels that occur, from [n, labels] indicators (of one label a row, or of several), n >= 1."""
    if (predicted == wanted).all():
        return Estimate(1.0, wilson(len(wanted), len(wanted)))
    answers, truth = predicted.astype(np.float32), wanted.astype(np.float32)
    hits = answers * truth

    def of(counts: Floats) -> Floats:
        return macro_f1(counts @ hits, counts @ answers, counts @ truth)

    value = float(of(np.ones((1, len(truth)), dtype=np.float32))[0])
    return _estimate(value, _resampled(len(truth), of, seed, resamples), 0.0)


def f1_estimate(counts: Floats, *, seed: int, resamples: int = RESAMPLES) -> Estimate:
    """F1 of all answers together, from [n, 3] right answers, answers and true ones of each row, n >= 1.

    Where every row is whole, or none has anything right, resamples cannot differ: Wilson's interval of the rows.
    """
    value = _f1_of(counts.sum(axis=0))
    if value in (0.0, 1.0):
        return Estimate(value, wilson(value * len(counts), len(counts)))
    return _estimate(value, _resampled(len(counts), lambda c: _f1(c, counts), seed, resamples), 0.0)


def f1_gain(counts: Floats, other: Floats, *, seed: int, resamples: int = RESAMPLES) -> Estimate:
    """By how much the F1 of `counts` is above that of another model over the same rows, on the same resamples."""
    value = _f1_of(counts.sum(axis=0)) - _f1_of(other.sum(axis=0))
    return _estimate(value, _resampled(len(counts), lambda c: _f1(c, counts) - _f1(c, other), seed, resamples), -1.0)


def correlation_estimate(found: Floats, wanted: Floats, *, seed: int, resamples: int = RESAMPLES) -> Estimate:
    """Spearman's rank correlation of [n] values with what is wanted, n >= 1; 0 where one of the two is constant."""
    value = float(_correlations(np.ones((1, len(found)), dtype=np.float32), found, wanted)[0])
    resampled = _resampled(len(found), lambda counts: _correlations(counts, found, wanted), seed, resamples)
    return _estimate(value, resampled, -1.0)


def correlation_gain(
    found: Floats, other: Floats, wanted: Floats, *, seed: int, resamples: int = RESAMPLES
) -> Estimate:
    """By how much the rank correlation of `found` is above that of another model's values for the same [n] rows."""

    def of(counts: Floats) -> Floats:
        return _correlations(counts, found, wanted) - _correlations(counts, other, wanted)

    value = float(of(np.ones((1, len(found)), dtype=np.float32))[0])
    return _estimate(value, _resampled(len(found), of, seed, resamples), -1.0)


def _correlations(drawn: Floats, found: Floats, wanted: Floats) -> Floats:
    """[r] rank correlations of resamples, from how often each row was drawn, [r, n]."""
    first, second = (_mean_ranks(drawn, values) - np.float32((len(values) + 1) / 2) for values in (found, wanted))
    spread = ((drawn * first**2).sum(axis=1), (drawn * second**2).sum(axis=1))
    scale = np.sqrt(spread[0]) * np.sqrt(spread[1])
    correlations: Floats = ((drawn * first * second).sum(axis=1) / np.where(scale > 0, scale, 1)).astype(np.float32)
    return correlations


def _mean_ranks(drawn: Floats, values: Floats) -> Floats:
    """[r, n] ranks of the values in each resample, from 1, ties by their mean rank; what was not drawn has one too."""
    order = np.argsort(values, kind="stable")
    _, starts = np.unique(values[order], return_index=True)
    ties = np.add.reduceat(drawn[:, order], starts, axis=1)
    ranks: Floats = (np.cumsum(ties, axis=1) - (ties - 1) / 2).astype(np.float32)
    return ranks[:, np.unique(values, return_inverse=True)[1]]


def _f1(drawn: Floats, counts: Floats) -> Floats:
    """[r] F1 of resamples, from how often each row was drawn, [r, n]."""
    hits, answers, truth = (drawn @ counts.astype(np.float32)).T
    found: Floats = 2 * hits / np.maximum(answers + truth, 1)
    return found


def _f1_of(sums: Floats) -> float:
    return float(2 * sums[0] / max(float(sums[1] + sums[2]), 1.0))


def macro_f1(hits: Floats, answers: Floats, truth: Floats) -> Floats:
    """[r, labels] counts of right answers, answers and true rows -> [r] mean F1 of the labels with true rows."""
    f1 = 2 * hits / np.maximum(answers + truth, 1)
    occurs = truth > 0
    averaged: Floats = ((f1 * occurs).sum(axis=1) / np.maximum(occurs.sum(axis=1), 1)).astype(np.float32)
    return averaged


def indicators(indices: npt.NDArray[np.int64], labels: int) -> Bools:
    """[n] label indices -> [n, labels], true where the index is."""
    made: Bools = indices[:, None] == np.arange(labels)
    return made


def _resampled(rows: int, figure: Callable[[Floats], Floats], seed: int, resamples: int) -> Floats:
    """The figure of each resample; it is given how often each row was drawn, [block, rows]."""
    return np.concatenate([figure(counts) for counts in _counts(rows, seed, resamples)])


def _counts(rows: int, seed: int, resamples: int) -> Iterator[Floats]:
    rng = np.random.default_rng(seed)
    block = max(1, min(resamples, _CELLS // rows))
    for start in range(0, resamples, block):
        size = min(block, resamples - start)
        drawn = rng.integers(0, rows, (size, rows)) + rows * np.arange(size)[:, None]
        yield np.bincount(drawn.ravel(), minlength=size * rows).reshape(size, rows).astype(np.float32)


def _estimate(value: float, found: Floats, lowest: float, *, biased: bool = True) -> Estimate:
    quantiles = np.quantile(found.astype(np.float64), [(1 - CONFIDENCE) / 2, (1 + CONFIDENCE) / 2])
    bias = found.mean(dtype=np.float64) - value if biased else 0.0
    low, high = np.clip(quantiles - bias, lowest, 1.0)
    return Estimate(value, Interval(float(low), float(high)))
