"""How well distances between vectors agree with what belongs together: pure functions of unit vectors."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.stats import rankdata

Vectors = Any  # [n, hidden], each of length one: an array, or one of scipy's sparse matrices
_AT_A_TIME = 512


def spearman(found: npt.NDArray[Any], wanted: npt.NDArray[Any]) -> float:
    """Rank correlation of two series of n >= 2 values, -1..1, ties by their mean rank; 0 where one is constant."""
    first, second = (rankdata(values) - (len(values) + 1) / 2 for values in (found, wanted))
    scale = float(np.sqrt((first**2).sum() * (second**2).sum()))
    return float((first * second).sum()) / scale if scale else 0.0


def recall_at(
    counts: Sequence[int],
    queries: Vectors,
    query_groups: npt.NDArray[Any],
    corpus: Vectors,
    corpus_groups: npt.NDArray[Any],
    *,
    same: bool = False,
) -> dict[int, float]:
    """Share of queries with one of their group among the k nearest of the corpus, for each k of `counts`.

    Recall@K as in Jegou et al. 2011 and Oh Song et al. 2016 (arXiv 1511.06452, section 6). `same`: queries and corpus
    are the same texts, and none counts as its own neighbour.
    """
    hits = nearest_hits(max(counts), queries, query_groups, corpus, corpus_groups, same=same)
    return {count: float(hits[:, :count].any(axis=1).mean()) if hits.size else 0.0 for count in counts}


def nearest_hits(
    most: int,
    queries: Vectors,
    query_groups: npt.NDArray[Any],
    corpus: Vectors,
    corpus_groups: npt.NDArray[Any],
    *,
    same: bool = False,
) -> npt.NDArray[np.bool_]:
    """[n, k <= most]: whether each of a query's nearest, nearest first, is of its group. Otherwise as `recall_at`."""
    most = min(most, len(corpus_groups) - same)
    if most < 1 or not len(query_groups):
        return np.zeros((len(query_groups), 0), dtype=np.bool_)
    found = []
    for start in range(0, len(query_groups), _AT_A_TIME):
        some = slice(start, min(start + _AT_A_TIME, len(query_groups)))
        product = queries[some] @ corpus.T
        cosines = product if isinstance(product, np.ndarray) else product.toarray()
        if same:
            cosines[np.arange(len(cosines)), np.arange(some.start, some.stop)] = -np.inf
        nearest = np.argpartition(-cosines, most - 1, axis=1)[:, :most]
        order = np.argsort(-np.take_along_axis(cosines, nearest, axis=1), axis=1, kind="stable")
        ranked = np.take_along_axis(nearest, order, axis=1)
        found.append(corpus_groups[ranked] == query_groups[some, None])
    return np.concatenate(found)
