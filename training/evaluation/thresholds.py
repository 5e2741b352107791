"""From which score on a label counts, where a text may have several: chosen on held-out texts, label by label."""

from __future__ import annotations

import numpy as np

from contracts.reference import Floats
from training.evaluation.bootstrap import Bools

# With fewer texts of a label its best threshold would be one text's score.
_FEWEST = 10
_LOWEST, _HIGHEST, _PLAIN = 0.05, 0.95, 0.5


def choose_thresholds(scores: Floats, truth: Bools) -> tuple[float, ...]:
    """The threshold with the best F1 for each of [n, labels] scores, 0.05..0.95; 0.5 for labels on under ten texts.

    Lipton et al. 2014, arXiv 1402.1892, section 4: for F1 each label is optimized by itself. It lies midway between
    the scores that it divides; of equals the one nearest 0.5 is taken.
    """
    return tuple(_best(scores[:, label], truth[:, label]) for label in range(scores.shape[1]))


def _best(scores: Floats, truth: Bools) -> float:
    if truth.sum() < _FEWEST or truth.all():
        return _PLAIN
    order = np.argsort(-scores, kind="stable")
    ranked, hits = scores[order].astype(np.float64), np.cumsum(truth[order])
    taken = np.arange(1, len(ranked) + 1)
    below = np.append(ranked[1:], 0.0)
    # Only between two different scores is there a threshold that takes exactly so many.
    possible = ranked > below
    f1 = np.where(possible, 2 * hits / (taken + truth.sum()), -1.0)
    middles = np.clip((ranked + below) / 2, _LOWEST, _HIGHEST)
    best = np.flatnonzero(f1 >= f1.max() - 1e-12)
    return float(middles[best[np.abs(middles[best] - _PLAIN).argmin()]])
