"""How well distances between vectors agree with what belongs together: pure functions of unit vectors."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
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
    found = nearest(max(counts), queries, corpus, same=same)
    hits: npt.NDArray[np.bool_] = corpus_groups[found.places] == query_groups[:, None]
    return {count: float(hits[:, :count].any(axis=1).mean()) if hits.size else 0.0 for count in counts}


@dataclass(frozen=True)
class Neighbours:
    """Of n queries the nearest in a corpus, nearest first."""

    places: npt.NDArray[np.int64]  # [n, k] into the corpus
    cosines: npt.NDArray[np.float32]  # [n, k], -1..1


def nearest(most: int, queries: Vectors, corpus: Vectors, *, same: bool = False) -> Neighbours:
    """The k = `most` nearest of each query, fewer where the corpus has fewer. Otherwise as `recall_at`."""
    rows = queries.shape[0]
    most = min(most, corpus.shape[0] - same)
    places = np.zeros((rows, max(most, 0)), dtype=np.int64)
    found = np.zeros(places.shape, dtype=np.float32)
    for start in range(0, rows if most > 0 else 0, _AT_A_TIME):
        some = slice(start, min(start + _AT_A_TIME, rows))
        product = queries[some] @ corpus.T
        cosines = product if isinstance(product, np.ndarray) else product.toarray()
        if same:
            cosines[np.arange(len(cosines)), np.arange(some.start, some.stop)] = -np.inf
        among = np.argpartition(-cosines, most - 1, axis=1)[:, :most]
        order = np.argsort(-np.take_along_axis(cosines, among, axis=1), axis=1, kind="stable")
        places[some] = np.take_along_axis(among, order, axis=1)
        found[some] = np.take_along_axis(cosines, places[some], axis=1)
    return Neighbours(places, found)
