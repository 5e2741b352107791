"""The detectors: each compares one trait of a window with the release's reference.

Predicted labels and confidence are the best simple signs of harm, the embedding the best of a change that the
model does not feel (Rabanser et al. 2019, Failing Loudly, arXiv 1810.11953). Length, unknown tokens and word pieces
per word tell the operator what kind of change it is: a new language, say, or pasted documents.

All p-values are permutation p-values, so a detector keeps its level with 150 classes, with ties and in small windows.
An effect floor keeps very large windows from alarming on nothing. Where a share e of the texts is foreign, no
Kolmogorov-Smirnov or total variation distance of the two populations exceeds e, and the effect of the embedding grows
with e: a floor of 0.05 means that about one text in twenty must be different (one in fifty, to the embedding, where
the foreign texts are all alike). In small windows distances are larger by chance, and the p-value is what guards.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from monitoring.embedding_distance import EmbeddingSplit
from monitoring.permutation import Counts, Doubles, binned, p_value, split_draws
from monitoring.window import Sample

# Fewer texts than this say nothing of a distribution.
FEWEST_ROWS = 20
# Rows of each side that the embedding's pairwise distances are taken over; the pass stays well under a second.
EMBEDDING_REFERENCE_ROWS = 800
EMBEDDING_WINDOW_ROWS = 600


@dataclass(frozen=True)
class Finding:
    """What a detector found, before the correction for there being several."""

    name: str
    score: float
    p_value: float
    effect: float


Detect = Callable[[Sample, Sample, np.random.Generator], tuple[float, float, float]]


def detect_labels(reference: Sample, window: Sample, generator: np.random.Generator) -> tuple[float, float, float]:
    """Two-sample chi-square on predicted labels; effect: total variation distance, 0..1."""
    size = int(max(reference.labels.max(), window.labels.max())) + 1
    before = np.bincount(reference.labels, minlength=size)
    now = np.bincount(window.labels, minlength=size)
    seen = (before + now) > 0
    before, now = before[seen], now[seen]
    pooled = (before + now).astype(np.int64)
    expected = pooled * (window.rows / pooled.sum())

    # With both margins fixed the two-sample statistic is this one times a constant.
    def statistic(counts: Doubles) -> Doubles:
        squares: Doubles = (np.square(counts - expected) / expected).sum(axis=-1)
        return squares

    draw = split_draws(pooled, window.rows, generator)
    score = float(statistic(now.astype(np.float64)))
    distance = 0.5 * float(np.abs(before / before.sum() - now / now.sum()).sum())
    return score, p_value(score, lambda n: statistic(draw(n))), distance


def _kolmogorov_smirnov(before: Counts, now: Counts, generator: np.random.Generator) -> tuple[float, float, float]:
    pooled = before + now
    rows, total = int(now.sum()), int(pooled.sum())

    # With the pooled counts fixed, the reference's share follows from the window's.
    def distance(counts: Doubles) -> Doubles:
        inside = np.cumsum(counts, axis=-1)
        outside = np.cumsum(pooled) - inside
        gaps: Doubles = np.abs(inside / rows - outside / (total - rows)).max(axis=-1)
        return gaps

    draw = split_draws(pooled, rows, generator)
    score = float(distance(now.astype(np.float64)))
    return score, p_value(score, lambda n: distance(draw(n))), min(1.0, score)


def detect_confidence(reference: Sample, window: Sample, generator: np.random.Generator) -> tuple[float, float, float]:
    """Kolmogorov-Smirnov on the top score; effect: the distance, 0..1."""
    return _kolmogorov_smirnov(*binned(reference.scores, window.scores), generator)


def detect_length(reference: Sample, window: Sample, generator: np.random.Generator) -> tuple[float, float, float]:
    """Kolmogorov-Smirnov on tokens per text; effect: the distance, 0..1."""
    return _kolmogorov_smirnov(*binned(reference.lengths, window.lengths), generator)


def detect_fragmentation(
    reference: Sample, window: Sample, generator: np.random.Generator
) -> tuple[float, float, float]:
    """Kolmogorov-Smirnov on word pieces per word, which rises in a foreign language; effect: the distance, 0..1."""
    return _kolmogorov_smirnov(*binned(reference.fragmentation, window.fragmentation), generator)


def detect_unknown(reference: Sample, window: Sample, generator: np.random.Generator) -> tuple[float, float, float]:
    """Difference of mean shares of unknown tokens, either way; effect: that difference, 0..1."""
    # Rounded so that shares fall into few bins; nothing below a thousandth of a text matters here.
    shares = np.round(np.concatenate([reference.unknown_shares, window.unknown_shares]).astype(np.float64), 3)
    values, index = np.unique(shares, return_inverse=True)
    pooled = np.bincount(index).astype(np.int64)
    now = np.bincount(index[reference.rows :], minlength=len(values)).astype(np.float64)
    total = float(pooled @ values)

    def difference(counts: Doubles) -> Doubles:
        inside = counts @ values
        gaps: Doubles = np.abs(inside / window.rows - (total - inside) / reference.rows)
        return gaps

    draw = split_draws(pooled, window.rows, generator)
    score = float(difference(now))
    return score, p_value(score, lambda n: difference(draw(n))), min(1.0, score)


def detect_embedding(reference: Sample, window: Sample, generator: np.random.Generator) -> tuple[float, float, float]:
    """Maximum mean discrepancy of projected embeddings; effect: its root, 0..1."""
    split = EmbeddingSplit.of(
        _subsample(reference.projections, EMBEDDING_REFERENCE_ROWS, generator),
        _subsample(window.projections, EMBEDDING_WINDOW_ROWS, generator),
    )
    return split.score, p_value(split.score, lambda n: split.draw(n, generator)), split.effect


DETECTORS: dict[str, Detect] = {
    "labels": detect_labels,
    "confidence": detect_confidence,
    "length": detect_length,
    "unknown": detect_unknown,
    "fragmentation": detect_fragmentation,
    "embedding": detect_embedding,
}

# One token in a hundred unknown is where a tokenizer begins to miss words; the rest is derived above.
EFFECT_FLOORS = {
    "labels": 0.05,
    "confidence": 0.05,
    "length": 0.05,
    "unknown": 0.01,
    "fragmentation": 0.05,
    "embedding": 0.05,
}


def detect(reference: Sample, window: Sample, seed: str) -> tuple[Finding, ...]:
    """All detectors in the order of DETECTORS; none when either side has fewer than FEWEST_ROWS rows.

    Equal `seed`s (the window's id, say) give equal findings.
    """
    if min(reference.rows, window.rows) < FEWEST_ROWS:
        return ()
    found = []
    for name, detector in DETECTORS.items():
        digest = hashlib.sha256(f"{seed}/{name}".encode()).digest()
        generator = np.random.default_rng(int.from_bytes(digest[:8], "big"))
        score, probability, effect = detector(reference, window, generator)
        found.append(Finding(name, score, probability, effect))
    return tuple(found)


def _subsample(rows: np.typing.NDArray[np.float32], most: int, generator: np.random.Generator) -> Doubles:
    if len(rows) > most:
        rows = rows[np.sort(generator.choice(len(rows), most, replace=False))]
    return rows.astype(np.float64)
