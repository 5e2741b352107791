"""Stratified splitting that depends on the rows and a seed, and not on the rows' order."""

from __future__ import annotations

import hashlib
import math
from collections import defaultdict
from collections.abc import Iterable, Sequence

from training.data.rows import Row


def strata(rows: Iterable[Row]) -> dict[str, list[list[Row]]]:
    """Label -> its texts, each with all rows that it stands in.

    The rows of one text stay together, so that no split holds a text of another: where a text stands with
    several labels, it counts for the first of them by name.
    """
    by_text: dict[str, list[Row]] = defaultdict(list)
    for row in rows:
        by_text[row.text].append(row)
    grouped: dict[str, list[list[Row]]] = defaultdict(list)
    for together in by_text.values():
        grouped[min(row.label for row in together)].append(together)
    return dict(sorted(grouped.items()))


def split_stratified(rows: Iterable[Row], shares: Sequence[float], seed: int, *, each: bool) -> list[list[Row]]:
    """Rows in as many parts as there are shares (which sum to 1).

    Of each label's texts a part gets its share, rounded down or up, and what rounding leaves over goes where the
    whole is furthest behind, so that the parts as a whole keep their shares too. With `each`, a label with as
    many texts as there are parts is in every part. Which text goes where is decided by sha256 of seed and text.
    """
    parts: list[list[Row]] = [[] for _ in shares]
    ahead = [0.0] * len(shares)
    for texts in strata(rows).values():
        counts = _counts(len(texts), shares, ahead, each)
        for part, (count, share) in enumerate(zip(counts, shares, strict=True)):
            ahead[part] += count - len(texts) * share
        texts.sort(key=lambda together: hashlib.sha256(f"{seed}\n{together[0].text}".encode()).digest())
        start = 0
        for part, count in enumerate(counts):
            parts[part].extend(row for together in texts[start : start + count] for row in together)
            start += count
    return parts


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
