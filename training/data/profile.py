"""What the data is like before anything is trained on it: counts, lengths, leaks, conflicts, mix."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from training.data.dataset import Dataset
from training.data.findings import contradictions, place
from training.data.near_duplicates import THRESHOLD, near_duplicates
from training.data.row_kinds import is_single_label
from training.data.rows import Row
from training.data.splits import SPLITS, LeftOut
from training.data.writing import languages, scripts

_QUANTILES = {"shortest": 0.0, "median": 0.5, "p90": 0.9, "p99": 0.99, "longest": 1.0}
_NEAR_TEXTS = 30_000
_EXAMPLES = 5


@dataclass(frozen=True)
class SplitProfile:
    """One split; lengths are by quantile, of its rows' texts."""

    name: str
    rows: int
    characters: dict[str, int]
    words: dict[str, int]


@dataclass(frozen=True)
class LabelProfile:
    """Rows that hold one name, by split."""

    name: str
    train: int
    validation: int
    test: int


@dataclass(frozen=True)
class Imbalance:
    """How unevenly the training rows' names are spread."""

    largest_to_smallest: float
    evenness: float  # entropy over that of an even spread, 0..1


@dataclass(frozen=True)
class Nearness:
    """Texts (contexts, for questions) that are nearly another one; shares are 0..1 of the texts looked at."""

    threshold: float
    texts: int
    share: float
    leaked: dict[str, float]  # split -> share of its texts that nearly, or exactly, stand in train
    conflicting: int  # pairs that are nearly the same and labelled differently
    examples: tuple[tuple[str, str], ...]  # where they stand, those that conflict first


@dataclass(frozen=True)
class Profile:
    """The data report. It holds no text, only places."""

    splits: tuple[SplitProfile, ...]
    labels: tuple[LabelProfile, ...]
    imbalance: Imbalance | None  # None with fewer than two names
    left_out: tuple[LeftOut, ...]  # rows that were duplicates, or leaked across splits
    conflicts: int  # texts that stand with more than one truth
    near: Nearness
    scripts: dict[str, int]
    languages: dict[str, int]

    def content(self) -> dict[str, Any]:
        """As JSON has it."""
        return asdict(self)


def profile(dataset: Dataset) -> Profile:
    """Look at the three splits; some seconds for a hundred thousand short texts."""
    parts: dict[str, tuple[Row, ...]] = {name: getattr(dataset, name) for name in SPLITS}
    every = [row for rows in parts.values() for row in rows]
    texts = [row.text for row in every]
    labels = _labels(parts)
    return Profile(
        splits=tuple(_split(name, rows) for name, rows in parts.items()),
        labels=labels,
        imbalance=_imbalance([label.train for label in labels]),
        left_out=dataset.left_out,
        conflicts=len(contradictions(every)),
        near=_nearness(parts),
        scripts=scripts(texts),
        languages=languages(texts),
    )


def _split(name: str, rows: Sequence[Row]) -> SplitProfile:
    return SplitProfile(
        name=name,
        rows=len(rows),
        characters=_quantiles([len(row.text) for row in rows]),
        words=_quantiles([len(row.text.split()) for row in rows]),
    )


def _quantiles(lengths: Sequence[int]) -> dict[str, int]:
    if not lengths:
        return dict.fromkeys(_QUANTILES, 0)
    found = np.quantile(lengths, list(_QUANTILES.values()), method="higher")
    return {name: int(value) for name, value in zip(_QUANTILES, found, strict=True)}


def _labels(parts: dict[str, tuple[Row, ...]]) -> tuple[LabelProfile, ...]:
    counts = {split: Counter(name for row in rows for name in row.names) for split, rows in parts.items()}
    names = sorted(set().union(*counts.values()), key=lambda name: (-counts["train"][name], name))
    return tuple(LabelProfile(name, *(counts[split][name] for split in SPLITS)) for name in names)


def _imbalance(counts: Sequence[int]) -> Imbalance | None:
    present = [count for count in counts if count]
    if len(present) < 2:
        return None
    whole = sum(present)
    entropy = -sum(count / whole * math.log(count / whole) for count in present)
    return Imbalance(max(present) / min(present), entropy / math.log(len(present)))


def _nearness(parts: dict[str, tuple[Row, ...]]) -> Nearness:
    """Test and validation whole, and as much of train as the bound leaves; train first, since others leak from it."""
    held_out = len(parts["validation"]) + len(parts["test"])
    looked_at = {"train": parts["train"][: max(0, _NEAR_TEXTS - held_out)]}
    looked_at |= {name: parts[name][:_NEAR_TEXTS] for name in ("validation", "test")}
    where = [(split, row) for split, rows in looked_at.items() for row in _one_each(rows)]
    pairs = near_duplicates([row.unit for _, row in where])
    near = {at for pair in pairs for at in (pair.first, pair.second)}
    leaked = {pair.second for pair in pairs if where[pair.first][0] == "train" != where[pair.second][0]}
    single = is_single_label([row for _, row in where])
    differ = {pair for pair in pairs if single and where[pair.first][1].label != where[pair.second][1].label}
    sizes = Counter(split for split, _ in where)
    return Nearness(
        threshold=THRESHOLD,
        texts=len(where),
        share=len(near) / max(1, len(where)),
        leaked={
            split: sum(where[at][0] == split for at in leaked) / max(1, sizes[split])
            for split in ("validation", "test")
        },
        conflicting=len(differ),
        examples=tuple(
            (place(where[pair.first][1]), place(where[pair.second][1]))
            for pair in sorted(pairs, key=lambda pair: (pair not in differ, -pair.similarity))[:_EXAMPLES]
        ),
    )


def _one_each(rows: Sequence[Row]) -> list[Row]:
    """The first row of each unit."""
    first: dict[str, Row] = {}
    for row in rows:
        first.setdefault(row.unit, row)
    return list(first.values())
