"""Floors where a text may have several labels."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

import numpy as np
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.multiclass import OneVsRestClassifier
from sklearn.pipeline import make_pipeline

from training.data.multilabel import MultiLabelRow
from training.evaluation.baselines import WORD
from training.evaluation.bootstrap import Bools


def truth_table(rows: Sequence[MultiLabelRow], labels: Sequence[str]) -> Bools:
    """[n, labels], true where the row has the label."""
    index = {label: number for number, label in enumerate(labels)}
    table = np.zeros((len(rows), len(labels)), dtype=np.bool_)
    for number, row in enumerate(rows):
        table[number, [index[label] for label in row.labels]] = True
    return table


def commonest_labels(train: Sequence[MultiLabelRow], test: Sequence[MultiLabelRow], labels: Sequence[str]) -> Bools:
    """Every test row gets the most frequent set of labels that is not empty."""
    sets = Counter(row.labels for row in train if row.labels)
    usual = min(sets, key=lambda names: (-sets[names], names), default=())
    return np.tile(np.array([label in usual for label in labels], dtype=np.bool_), (len(test), 1))


def tfidf_labels(train: Sequence[MultiLabelRow], test: Sequence[MultiLabelRow], labels: Sequence[str]) -> Bools:
    """TF-IDF of words and word pairs, and one logistic regression a label."""
    words = TfidfVectorizer(token_pattern=WORD, ngram_range=(1, 2), sublinear_tf=True)
    one = LogisticRegression(C=10.0, max_iter=200, tol=1e-3, class_weight="balanced")
    model = make_pipeline(words, OneVsRestClassifier(one))
    model.fit([row.text for row in train], truth_table(train, labels).astype(int))
    found: Bools = np.asarray(model.predict([row.text for row in test])).reshape(len(test), len(labels)) > 0
    return found
