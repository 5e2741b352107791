"""Texts looked up among others by their vectors, and pairs of them held against their scores."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from contracts.reference import Floats
from contracts.vectors import unit
from training.data.rows import Row
from training.evaluation.bootstrap import Bools
from training.kinds.nearness import Neighbours, Vectors, nearest
from training.kinds.text_pairs import Grouped, grouped, scored

# Of any texts, unit vectors in their order.
Vectorize = Callable[[Sequence[str]], Vectors]


@dataclass(frozen=True)
class PairScores:
    """p pairs of texts."""

    cosines: Floats  # [p], -1..1
    wanted: Floats  # [p], 0..1


@dataclass(frozen=True)
class LookedUp:
    """n texts and those that are nearest in a corpus."""

    queries: Grouped
    corpus: Grouped
    neighbours: Neighbours

    @property
    def hits(self) -> Bools:
        """[n, k]: whether each of a query's nearest, nearest first, is of its group."""
        found: Bools = self.corpus.groups[self.neighbours.places] == self.queries.groups[:, None]
        return found

    @property
    def right(self) -> Bools:
        """[n], whether the nearest is of the query's group; not so where there is no other text."""
        return np.asarray(self.hits[:, :1].any(axis=1), dtype=np.bool_)


def look_up(vectors: Vectorize, rows: Sequence[Row], known: Sequence[Row], most: int) -> LookedUp:
    """The `most` nearest of each row: of labelled ones among `known`, of pairs among the second texts."""
    queries, corpus = grouped(rows, known)
    same = queries.texts == corpus.texts
    return LookedUp(queries, corpus, nearest(most, vectors(queries.texts), vectors(corpus.texts), same=same))


def pair_scores(vectors: Vectorize, rows: Sequence[Row], seed: int) -> PairScores:
    """The rows' pairs, with strangers drawn by the seed where they have no scores."""
    pairs = scored(rows, seed)
    first, second = (vectors(texts) for texts in ([pair.first for pair in pairs], [pair.second for pair in pairs]))
    product = first * second if isinstance(first, np.ndarray) else first.multiply(second)
    cosines: Floats = np.asarray(product.sum(axis=1)).ravel().astype(np.float32)
    return PairScores(cosines, np.array([pair.target for pair in pairs], dtype=np.float32))


def remembering(known: dict[str, Floats], embed: Callable[[Sequence[str]], Sequence[Floats]]) -> Vectorize:
    """Unit vectors of texts, each embedded once; those that are `known` not at all. They are added to it."""

    def vectors(texts: Sequence[str]) -> Floats:
        new = [text for text in dict.fromkeys(texts) if text not in known]
        if new:
            known.update(zip(new, embed(new), strict=True))
        return unit(np.stack([known[text] for text in texts]))

    return vectors
