"""Floors that a trained model must beat to be worth its cost."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline

from training.data.rows import Row
from training.evaluation.bootstrap import Bools, Estimate, paired_gain

# Anything but spaces and punctuation. scikit-learn's own pattern ends a word at a Devanagari vowel sign.
WORD = r"[^\s!-/:-@\[-`{-~।॥“”‘’…–—]+"


@dataclass(frozen=True)
class Floors:
    """Which of [n] test rows each of them answers right."""

    majority_right: Bools
    tfidf_right: Bools

    @property
    def majority(self) -> float:
        """Test accuracy, 0..1."""
        return float(self.majority_right.mean())

    @property
    def tfidf(self) -> float:
        """Test accuracy, 0..1."""
        return float(self.tfidf_right.mean())


@dataclass(frozen=True)
class Gain:
    """What the model has over one floor, paired by test row."""

    name: str
    title: str
    accuracy: float  # of the floor
    gain: Estimate  # the model's accuracy less that

    @property
    def figures(self) -> dict[str, float]:
        """What the manifest holds of it, by name."""
        return {f"{self.name}_accuracy": self.accuracy, **self.gain.figures(f"beats_{self.name}_by")}

    @property
    def verdict(self) -> Literal["beats", "loses", "even"]:
        """`even`: the difference is no more than chance."""
        if not self.gain.interval.excludes_zero:
            return "even"
        return "beats" if self.gain.value > 0 else "loses"


def measure_floors(train: Sequence[Row], test: Sequence[Row]) -> Floors:
    """Always the most frequent label; and TF-IDF of words and word pairs with logistic regression."""
    labels = [row.label for row in train]
    truth = np.array([row.label for row in test], dtype=object)
    commonest = Counter(labels).most_common(1)[0][0]
    words = TfidfVectorizer(token_pattern=WORD, ngram_range=(1, 2), sublinear_tf=True)
    model = make_pipeline(words, LogisticRegression(C=10.0, max_iter=200, tol=1e-3))
    model.fit([row.text for row in train], labels)
    answers = model.predict([row.text for row in test])
    return Floors(majority_right=truth == commonest, tfidf_right=answers.astype(object) == truth)


def gains_over(floors: Floors, right: Bools) -> tuple[Gain, ...]:
    """The model, whose answers to the same [n] test rows are right or not, against each floor."""
    return tuple(
        Gain(name, title, float(floor.mean()), paired_gain(right.astype(np.float32) - floor.astype(np.float32)))
        for name, title, floor in (
            ("majority", "Always the most frequent label", floors.majority_right),
            ("tfidf", "TF-IDF and logistic regression", floors.tfidf_right),
        )
    )
