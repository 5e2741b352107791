"""Which texts belong together: from labelled texts, from pairs that match, from pairs with scores."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from contracts.reference import Integers
from training.data.pairs import PairRow
from training.data.rows import Row, rows_of


@dataclass(frozen=True)
class TextPair:
    """Two texts, and their score (0..1) or the number of the group that both are of."""

    first: str
    second: str
    target: float


@dataclass(frozen=True)
class Grouped:
    """n texts and the group that each is of."""

    texts: list[str]
    groups: Integers


def pairs_of(rows: Sequence[Row], seed: int) -> list[TextPair]:
    """The rows' own pairs; of labelled rows every text in one pair, its mate another of its label, drawn by the seed.

    Of an odd number the last one's mate has another too. A text that is the only one of its label is its own mate:
    dropout makes the two differ (SimCSE, Gao et al. 2021, arXiv 2104.08821, section 3).
    """
    if _are_pairs(rows):
        pairs = rows_of(PairRow, rows)
        numbers = _group_numbers(pairs)
        return [
            TextPair(row.first, row.second, numbers[row.first] if row.score is None else row.score) for row in pairs
        ]
    members: dict[str, list[str]] = defaultdict(list)
    for row in rows:
        members[row.label].append(row.text)
    rng = np.random.default_rng(seed)
    found = []
    for number, label in enumerate(sorted(members)):
        texts = [members[label][place] for place in rng.permutation(len(members[label]))]
        firsts, seconds = texts[0::2], texts[1::2] + texts[:1]
        found += [TextPair(first, second, number) for first, second in zip(firsts, seconds, strict=False)]
    return found


def grouped(rows: Sequence[Row], known: Sequence[Row] = ()) -> tuple[Grouped, Grouped]:
    """Queries, and the corpus that they are looked up in: of labelled rows, `known` ones (themselves where there are
    none); of pairs, the second texts.
    """
    if _are_pairs(rows):
        pairs = rows_of(PairRow, rows)
        numbers = _group_numbers(pairs)
        groups = np.array([numbers[row.first] for row in pairs], dtype=np.int64)
        return Grouped([row.first for row in pairs], groups), Grouped([row.second for row in pairs], groups)
    corpus = known or rows
    number = {label: place for place, label in enumerate(sorted({row.label for row in (*rows, *corpus)}))}
    queries, looked_up = (
        Grouped([row.text for row in some], np.array([number[row.label] for row in some], dtype=np.int64))
        for some in (rows, corpus)
    )
    return queries, looked_up


def scored(rows: Sequence[Row], seed: int) -> list[TextPair]:
    """Pairs with scores; where they have none, all pairs with 1, and with 0 each first text with a stranger."""
    pairs = pairs_of(rows, seed)
    if _are_pairs(rows) and rows_of(PairRow, rows)[0].score is not None:
        return pairs
    rng = np.random.default_rng((seed, 1))
    found = [TextPair(pair.first, pair.second, 1.0) for pair in pairs]
    for pair in pairs:
        for other in rng.integers(len(pairs), size=20):
            stranger = pairs[int(other)]
            if stranger.target != pair.target:
                found.append(TextPair(pair.first, stranger.second, 0.0))
                break
    return found


def _are_pairs(rows: Sequence[Row]) -> bool:
    return bool(rows) and isinstance(rows[0], PairRow)


def _group_numbers(pairs: Sequence[PairRow]) -> dict[str, int]:
    """Texts that are linked by pairs are of one group: a text that stands in two pairs is no stranger to either."""
    parent: dict[str, str] = {}

    def root(text: str) -> str:
        parent.setdefault(text, text)
        while parent[text] != text:
            parent[text] = parent[parent[text]]
            text = parent[text]
        return text

    for row in pairs:
        parent[root(row.first)] = root(row.second)
    numbers: dict[str, int] = {}
    return {text: numbers.setdefault(root(text), len(numbers)) for text in list(parent)}
