"""Groups of test rows that may fare worse than the rest: by script, language, length, and the task's own columns."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from contracts.reference import Integers
from training.evaluation.bootstrap import Bools
from training.evaluation.proportions import Interval, difference, wilson

FEWEST_ROWS = 20
_MOST_VALUES = 20
_ALPHA = 0.05
OTHERS = "(others)"

Verdict = Literal["ok", "behind", "insufficient"]


@dataclass(frozen=True)
class Slice:
    """Test rows with one value of one property."""

    property: str
    value: str
    rows: int
    accuracy: float
    interval: Interval  # of the accuracy (Wilson)
    gap: float  # accuracy less that of all other rows
    gap_interval: Interval  # as wide as the number of slices asks (Bonferroni)
    verdict: Verdict


def judge_slices(properties: Mapping[str, Sequence[str]], right: Bools) -> tuple[Slice, ...]:
    """Each value of each property, of [n] test rows whose answers were right or not; the worst gap first.

    `behind` is a slice whose accuracy is below that of the other rows by more than chance, at a family-wise rate of
    0.05 over all slices that are judged; with fewer than 20 rows in it or beside it the verdict is `insufficient`.
    A property with one value for all rows has nothing to compare. Beyond the 20 commonest, values are taken together.
    """
    members: list[tuple[str, str, Bools]] = []
    for name, given in properties.items():
        values = np.array(_commonest(given), dtype=object)
        found = sorted(set(values.tolist()))
        if len(found) > 1:
            members += [(name, value, values == value) for value in found]
    judged = sum(_enough(member) for _, _, member in members)
    # Only the upper end of a gap is looked at, and an interval's rate is that of both ends.
    alpha = 2 * _ALPHA / max(judged, 1)
    slices = [_slice(name, value, member, right, alpha) for name, value, member in members]
    return tuple(sorted(slices, key=lambda one: (one.verdict != "behind", one.verdict == "insufficient", one.gap)))


def warn_of(slices: Sequence[Slice]) -> list[str]:
    """A sentence for each slice that falls behind."""
    return [
        f"Texts whose {one.property} is {one.value!r} fall behind: {100 * one.accuracy:.1f} % of {one.rows} are right, "
        f"{-100 * one.gap:.1f} points less than of the others (at least {-100 * one.gap_interval.high:.1f} points, "
        "chance allowed for). Add training rows like them."
        for one in slices
        if one.verdict == "behind"
    ]


def by_length(lengths: Integers, max_tokens: int) -> dict[str, list[str]]:
    """Thirds of the [n] lengths in tokens, and whether the model saw the whole text."""
    low, high = (int(value) for value in np.quantile(lengths, [1 / 3, 2 / 3], method="lower"))
    middle = f"{low + 1} to {high} tokens" if high > low + 1 else f"{high} tokens"
    named = [
        f"up to {low} tokens" if length <= low else middle if length <= high else f"over {high} tokens"
        for length in lengths.tolist()
    ]
    seen = [f"the first {max_tokens} tokens" if length > max_tokens else "all" for length in lengths.tolist()]
    return {"length": named, "part that is read": seen}


def _commonest(values: Sequence[str]) -> list[str]:
    kept = {value for value, _ in Counter(values).most_common(_MOST_VALUES)}
    return [value if value in kept else OTHERS for value in values]


def _enough(member: Bools) -> bool:
    return FEWEST_ROWS <= int(member.sum()) <= len(member) - FEWEST_ROWS


def _slice(name: str, value: str, member: Bools, right: Bools, alpha: float) -> Slice:
    rows, others = int(member.sum()), int((~member).sum())
    hits, other_hits = int((right & member).sum()), int((right & ~member).sum())
    gap_interval = difference(hits, rows, other_hits, others, alpha=alpha)
    behind: Verdict = "behind" if gap_interval.high < 0 else "ok"
    return Slice(
        property=name,
        value=value,
        rows=rows,
        accuracy=hits / rows,
        interval=wilson(hits, rows),
        gap=hits / rows - other_hits / others,
        gap_interval=gap_interval,
        verdict=behind if _enough(member) else "insufficient",
    )
