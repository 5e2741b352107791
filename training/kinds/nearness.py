"""How well distances between vectors agree with what belongs together: pure functions of unit vectors."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.stats import rankdata

from contracts.reference import Floats

_AT_A_TIME = 512


def spearman(found: npt.NDArray[Any], wanted: npt.NDArray[Any]) -> float:
    """Rank correlation of two series of n >= 2 values, -1..1, ties by their mean rank; 0 where one is constant."""
    first, second = (rankdata(values) - (len(values) + 1) / 2 for values in (found, wanted))
    scale = float(np.sqrt((first**2).sum() * (second**2).sum()))
    return float((first * second).sum()) / scale if scale else 0.0


def recall_at(
    counts: Sequence[int],
    queries: Floats,
    query_groups: npt.NDArray[Any],
    corpus: Floats,
    corpus_groups: npt.NDArray[Any],
    *,
    same: bool = False,
) -> dict[int, float]:
    """Share of queries with one of their group among the k nearest of the corpus, for each k of `counts`.

    Recall@K as in Jegou et al. 2011 and Oh Song et al. 2016 (arXiv 1511.06452, section 6). `queries` [n, hidden] and
    `corpus` [m, hidden] are unit vectors; `same`: they are the same texts, and none counts as its own neighbour.
    """
    most = min(max(counts), len(corpus) - same)
    if most < 1 or not len(queries):
        return dict.fromkeys(counts, 0.0)
    hits = np.concatenate(
        [
            _hits(
                queries[start : start + _AT_A_TIME],
                query_groups[start : start + _AT_A_TIME],
                corpus,
                corpus_groups,
                most,
                start if same else None,
            )
            for start in range(0, len(queries), _AT_A_TIME)
        ]
    )
    return {count: float(hits[:, :count].any(axis=1).mean()) for count in counts}


def _hits(
    queries: Floats,
    query_groups: npt.NDArray[Any],
    corpus: Floats,
    corpus_groups: npt.NDArray[Any],
    most: int,
    own: int | None,
) -> npt.NDArray[np.bool_]:
    """[queries, most]: whether each of the nearest, nearest first, is of the query's group; `own` is their place."""
    cosines = queries @ corpus.T
    if own is not None:
        cosines[np.arange(len(queries)), own + np.arange(len(queries))] = -np.inf
    nearest = np.argpartition(-cosines, most - 1, axis=1)[:, :most]
    order = np.argsort(-np.take_along_axis(cosines, nearest, axis=1), axis=1, kind="stable")
    ranked = np.take_along_axis(nearest, order, axis=1)
    found: npt.NDArray[np.bool_] = corpus_groups[ranked] == query_groups[:, None]
    return found
