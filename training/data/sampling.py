"""Training rows against imbalance: rare labels' rows repeated, or common labels' rows left out."""

from __future__ import annotations

import hashlib
import math
from collections import defaultdict
from collections.abc import Sequence
from itertools import cycle, islice

from contracts.task import DataSpec
from training.data.row_kinds import is_single_label
from training.data.rows import Row
from training.data.stratify import rarest_name


def resample(rows: Sequence[Row], data: DataSpec, seed: int) -> list[Row]:
    """The rows with `data.sampling` applied, by label; a row of several names counts for the rarest of them.

    Afterwards the commonest label has at most `data.sampling_ratio` times the rows of the rarest. For training rows
    alone: what is measured must be as it comes. Which rows are repeated once more, or stay, is decided by sha256 of
    seed and text.
    """
    if data.sampling == "none":
        return list(rows)
    stratum = (lambda row: row.label) if is_single_label(rows) else rarest_name(rows)
    lots: dict[str, list[Row]] = defaultdict(list)
    for row in rows:
        lots[stratum(row)].append(row)
    counts = [len(lot) for lot in lots.values()]
    fewest = math.ceil(max(counts) / data.sampling_ratio)
    most = math.floor(min(counts) * data.sampling_ratio)
    made: list[Row] = []
    for name in sorted(lots):
        lot = sorted(lots[name], key=lambda row: hashlib.sha256(f"{seed}\n{row.text}".encode()).digest())
        if data.sampling == "oversample":
            made.extend(islice(cycle(lot), max(len(lot), fewest)))
        else:
            made.extend(lot[:most])
    return made
