"""Stratified splitting that depends on the rows and a seed, and not on the rows' order."""

from __future__ import annotations

import hashlib
import math
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Sequence

from training.data.rows import Row

_NO_NAME = "\0none"


def units(rows: Iterable[Row]) -> list[list[Row]]:
    """The rows that must stay together (those of one text, or of one context), each lot in one list."""
    by_unit: dict[str, list[Row]] = defaultdict(list)
    for row in rows:
        by_unit[row.unit].append(row)
    return list(by_unit.values())


def strata(rows: Iterable[Row], stratum: Callable[[Row], str] | None = None) -> dict[str, list[list[Row]]]:
    """Stratum -> its units, each with all rows that it stands in; by default the stratum is the row's label.

    The rows of one text stay together, so that no split holds a text of another: where a text stands with
    several labels, it counts for the first of them by name.
    """
    of = stratum or (lambda row: row.label)
    grouped: dict[str, list[list[Row]]] = defaultdict(list)
    for together in units(rows):
        grouped[min(of(row) for row in together)].append(together)
    return dict(sorted(grouped.items()))


def rarest_name(rows: Sequence[Row]) -> Callable[[Row], str]:
    """The stratum of a row with any number of names: the rarest of them, so that each name is spread evenly."""
    counts = Counter(name for row in rows for name in row.names)
    return lambda row: min(row.names, key=lambda name: (counts[name], name), default=_NO_NAME)


def split_stratified(
    rows: Iterable[Row],
    shares: Sequence[float],
    seed: int,
    *,
    each: bool,
    stratum: Callable[[Row], str] | None = None,
) -> list[list[Row]]:
    """Rows in as many parts as there are shares (which sum to 1).

    Of each label's texts a part gets its share, rounded down or up, and what rounding leaves over goes where the
    whole is furthest behind, so that the parts as a whole keep their shares too. With `each`, a label with as
    many texts as there are parts is in every part. Which text goes where is decided by sha256 of seed and text.
    """
    parts: list[list[Row]] = [[] for _ in shares]
    ahead = [0.0] * len(shares)
    for texts in strata(rows, stratum).values():
        counts = _counts(len(texts), shares, ahead, each)
        for part, (count, share) in enumerate(zip(counts, shares, strict=True)):
            ahead[part] += count - len(texts) * share
        texts.sort(key=lambda together: hashlib.sha256(f"{seed}\n{together[0].unit}".encode()).digest())
        start = 0
        for part, count in enumerate(counts):
            parts[part].extend(row for together in texts[start : start + count] for row in together)
            start += count
    return parts


def split_by_names(rows: Sequence[Row], shares: Sequence[float], seed: int) -> list[list[Row]]:
    """As `split_stratified` for rows with any number of names; what is too rare to be in every part is in the first."""
    stratum = rarest_name(rows)
    grouped = strata(rows, stratum)
    rare = {name for name, lots in grouped.items() if len(lots) < len(shares) and name != _NO_NAME}
    frequent = [row for name, lots in grouped.items() if name not in rare for lot in lots for row in lot]
    parts = split_stratified(frequent, shares, seed, each=True, stratum=stratum)
    parts[0].extend(row for name in sorted(rare) for lot in grouped[name] for row in lot)
    return parts


def split_by_time(rows: Sequence[Row], shares: Sequence[float]) -> list[list[Row]]:
    """Rows in as many parts as there are shares (which sum to 1), from the oldest to the newest; rows have times.

    A text that comes again counts for the time it came first, so that what is newest was never seen before.
    """
    ordered = sorted(
        units(rows),
        key=lambda together: (
            min(row.time or 0.0 for row in together),
            hashlib.sha256(together[0].unit.encode()).digest(),
        ),
    )
    bounds = [round(len(ordered) * sum(shares[: part + 1])) for part in range(len(shares))]
    starts = [0, *bounds[:-1]]
    return [
        [row for together in ordered[start:end] for row in together] for start, end in zip(starts, bounds, strict=True)
    ]


def _counts(texts: int, shares: Sequence[float], ahead: Sequence[float], each: bool) -> list[int]:
    """How many of a label's texts each part gets; `ahead` is what each part got beyond its share so far."""
    # Rounded, since 0.7 * 10 is a little more than 7 to a computer.
    ideal = [round(texts * share, 6) for share in shares]
    counts = [math.floor(value) for value in ideal]
    behind = sorted(
        (part for part in range(len(shares)) if ideal[part] > counts[part]),
        key=lambda part: ahead[part] - (ideal[part] - counts[part]),
    )
    for part in behind[: texts - sum(counts)]:
        counts[part] += 1
    if each and texts >= len(shares):
        while (lacking := min(counts)) == 0:
            counts[counts.index(max(counts))] -= 1
            counts[counts.index(lacking)] += 1
    return counts
