"""Which old training rows are learned from again beside fresh ones, so that little is forgotten and less is trained."""

from __future__ import annotations

import hashlib
import math
from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence

import numpy as np

from contracts.reference import Floats
from training.data.rows import Row

_AT_RISK_SHARE = 0.5  # of what is replayed; the rest is drawn evenly, so that what is sure stays known too


def replay(
    train: Sequence[Row], old: Collection[Row], share: float, seed: int, risks: Mapping[Row, float] | None = None
) -> tuple[Row, ...]:
    """The rows to learn from, in the order of `train`: all fresh ones and, of each label, a share of the `old` ones.

    `share` is 0..1, rounded up to whole rows and to one a label, so that no label is unlearned. With `risks` half of
    them are those of the highest risk; a row without a risk is left to chance. Chance is sha256 of seed and text:
    another share of the same rows holds the smaller one's.
    """
    by_label: dict[str, list[Row]] = defaultdict(list)
    for row in old:
        by_label[row.label].append(row)
    kept: set[Row] = set()
    for rows in by_label.values():
        count = max(1, math.ceil(round(share * len(rows), 6)))
        drawn = sorted(rows, key=lambda row: hashlib.sha256(f"{seed}\n{row.text}".encode()).digest())
        at_risk: list[Row] = []
        if risks is not None:
            risky = sorted((row for row in drawn if row in risks), key=lambda row: -risks[row])
            at_risk = risky[: round(count * _AT_RISK_SHARE)]
        chosen = dict.fromkeys([*at_risk, *drawn])
        kept |= set(list(chosen)[:count])
    forgone = set(old) - kept
    return tuple(row for row in train if row not in forgone)


def forgetting_risks(rows: Sequence[Row], logits: Floats, labels: Sequence[str]) -> dict[Row, float]:
    """How near each row that the champion gets right is to being wrong: 1 - p(its label) + p(the next), 0..1.

    `logits` is [n, labels]. Rows with a small margin are those that training forgets first (Toneva et al. 2019,
    arXiv 1812.05159). What the champion gets wrong has no risk here: it is not known, or its label is wrong.
    """
    index = {label: number for number, label in enumerate(labels)}
    shifted = np.exp(logits - logits.max(axis=1, keepdims=True))
    shares = shifted / shifted.sum(axis=1, keepdims=True)
    risks = {}
    for row, share in zip(rows, shares, strict=True):
        true = index.get(row.label)
        if true is not None and int(share.argmax()) == true:
            risks[row] = float(1.0 - share[true] + np.delete(share, true).max())
    return risks
