"""Which texts meet in a batch."""

from __future__ import annotations

import random
from collections import defaultdict
from collections.abc import Sequence


def batches_of_pairs(labels: Sequence[int], size: int, together: int, rng: random.Random) -> list[list[int]]:
    """Row numbers in batches of at most `size` (and at least `together`), each text once an epoch or a little more.

    A label's texts come in groups of `together`, so that every text of a batch has a positive pair there. The last
    group of a label is filled with others of its texts; a label with one text meets itself, which dropout makes
    another pair (Gao et al. 2021, arXiv 2104.08821).
    """
    by_label: dict[int, list[int]] = defaultdict(list)
    for row, label in enumerate(labels):
        by_label[label].append(row)
    groups = []
    for label in sorted(by_label):
        rows = by_label[label]
        rng.shuffle(rows)
        for start in range(0, len(rows), together):
            group = rows[start : start + together]
            others = rows[:start] or rows
            groups.append(group + [rng.choice(others) for _ in range(together - len(group))])
    rng.shuffle(groups)
    count = max(1, size // together)
    return [[row for group in groups[start : start + count] for row in group] for start in range(0, len(groups), count)]
