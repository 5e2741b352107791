"""Mistakes and suspected labels: what is found, in which order, and what is kept out."""

from __future__ import annotations

import numpy as np
import pytest

from training.data.rows import Row
from training.evaluation.calibration import softmax
from training.evaluation.errors import Answered, analyse_errors, suspected

LABELS = ("a", "b", "c")


def answered(split: str, probabilities: list[list[float]], truth: list[int]) -> Answered:
    rows = [Row(f"{split} text {i}", LABELS[label], f"/data/{split}.csv", i + 2) for i, label in enumerate(truth)]
    return Answered(split, rows, np.array(probabilities, dtype=np.float32), np.array(truth))


def test_flipped_labels_are_found_again() -> None:
    rng = np.random.default_rng(8)
    truth = rng.integers(0, 4, 2000)
    logits = rng.normal(0, 1, (2000, 4))
    logits[np.arange(2000), truth] += 4
    flipped = rng.permutation(2000)[:60]
    given = truth.copy()
    given[flipped] = (truth[flipped] + 1) % 4
    found = suspected(softmax(logits.astype(np.float32)), given)
    assert len(set(found.tolist()) & set(flipped.tolist())) >= 30
    assert len(set(found.tolist()) - set(flipped.tolist())) <= 3


def test_a_row_under_the_usual_score_of_the_other_label_is_not_suspected() -> None:
    probabilities = [[0.9, 0.1, 0.0], [0.9, 0.1, 0.0], [0.5, 0.4, 0.1], [0.1, 0.8, 0.1], [0.95, 0.05, 0.0]]
    assert suspected(np.array(probabilities, dtype=np.float32), np.array([0, 0, 1, 1, 1])).tolist() == [4]
    assert suspected(np.zeros((0, 3), dtype=np.float32), np.zeros(0, dtype=np.int64)).tolist() == []


def test_the_surest_mistakes_come_first_with_their_place() -> None:
    test = answered("test", [[0.6, 0.4, 0.0], [0.1, 0.9, 0.0], [0.2, 0.0, 0.8], [1.0, 0.0, 0.0]], [1, 0, 0, 0])
    found = analyse_errors(test, (), LABELS, with_texts=True)
    assert found.mistakes == 3
    assert [(row.line, row.label, row.answer) for row in found.surest] == [(3, "a", "b"), (4, "a", "c"), (2, "b", "a")]
    assert found.surest[0].score == pytest.approx(0.9)
    assert found.surest[0].label_score == pytest.approx(0.1)
    assert found.surest[0].text == "test text 1"
    assert found.surest[0].file == "test.csv"


def test_without_texts_none_is_told() -> None:
    test = answered("test", [[0.1, 0.9, 0.0]] * 3 + [[0.9, 0.1, 0.0]], [0, 1, 1, 0])
    found = analyse_errors(
        test, [answered("validation", [[0.0, 0.0, 1.0]] * 9, [0, *[2] * 8])], LABELS, with_texts=False
    )
    assert found.suspects.examined == 13
    assert {row.split for row in found.suspects.rows} == {"test", "validation"}
    assert {row.text for row in (*found.surest, *found.suspects.rows)} == {None}
    assert "text 0" not in str(found)


def test_pairs_of_labels_that_are_mixed_up_are_counted() -> None:
    test = answered("test", [[0.0, 1.0, 0.0]] * 12 + [[1.0, 0.0, 0.0]] * 9, [0, 0, 0, *[1] * 9, *[0] * 9])
    found = analyse_errors(test, (), LABELS, with_texts=False)
    assert [(pair.label, pair.answer, pair.rows) for pair in found.suspects.pairs] == [("a", "b", 3)]
