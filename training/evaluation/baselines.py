"""Floors that a trained model must beat to be worth its cost."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline

from training.data.rows import Row

# Anything but spaces and punctuation. scikit-learn's own pattern ends a word at a Devanagari vowel sign.
WORD = r"[^\s!-/:-@\[-`{-~।॥“”‘’…–—]+"


@dataclass(frozen=True)
class Floors:
    """Test accuracies, 0..1."""

    majority: float
    tfidf: float


def measure_floors(train: Sequence[Row], test: Sequence[Row]) -> Floors:
    """Always the most frequent label; and TF-IDF of words and word pairs with logistic regression."""
    labels = [row.label for row in train]
    commonest = Counter(labels).most_common(1)[0][0]
    words = TfidfVectorizer(token_pattern=WORD, ngram_range=(1, 2), sublinear_tf=True)
    model = make_pipeline(words, LogisticRegression(C=10.0, max_iter=200, tol=1e-3))
    model.fit([row.text for row in train], labels)
    return Floors(
        majority=sum(row.label == commonest for row in test) / len(test),
        tfidf=float(model.score([row.text for row in test], [row.label for row in test])),
    )
