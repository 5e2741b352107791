"""Curves against scikit-learn's areas, and by hand."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import average_precision_score, roc_auc_score

from training.evaluation.bootstrap import indicators
from training.evaluation.curves import draw_curves

LABELS = ("a", "b", "c")


def scored(rows: int, seed: int, lift: float) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    truth = rng.integers(0, 3, rows)
    scores = rng.normal(0, 1, (rows, 3))
    scores[np.arange(rows), truth] += lift
    return np.round(scores, 1), indicators(truth, 3)  # rounded, so that there are ties


@given(st.integers(12, 80), st.integers(0, 50), st.floats(0, 3))
def test_areas_are_scikit_learns_and_curves_are_monotone(rows: int, seed: int, lift: float) -> None:
    scores, wanted = scored(rows, seed, lift)
    found = draw_curves(scores, wanted, LABELS)
    for label, area in found.label_auc.items():
        assert area == pytest.approx(roc_auc_score(wanted[:, label], scores[:, label]))
    judged = sorted(found.label_auc)
    if len(judged) == 3:
        precision = [average_precision_score(wanted[:, i], scores[:, i]) for i in judged]
        assert found.precision_recall[1].area == pytest.approx(np.mean(precision))
        assert found.precision_recall[2].area == pytest.approx(min(precision))
    for curve in found.roc:
        heights = [y for _, y in curve.points]
        assert heights == sorted(heights)
        assert heights[-1] == 1.0
    for curve in found.precision_recall:
        heights = [y for _, y in curve.points]
        assert heights == sorted(heights, reverse=True)


def test_the_drawn_roc_encloses_its_area() -> None:
    found = draw_curves(*scored(2000, 1, 1.0), LABELS)
    for curve in found.roc:
        xs, ys = np.array(curve.points).T
        assert np.trapezoid(ys, xs) == pytest.approx(curve.area, abs=0.01)


def test_a_perfect_score_is_the_corner() -> None:
    truth = np.array([0, 0, 1, 1])
    wanted = indicators(truth, 2)
    found = draw_curves(wanted.astype(np.float64), wanted, ("x", "y"))
    assert [curve.name for curve in found.roc] == ["all labels together", "mean of the labels"]
    assert {curve.area for curve in (*found.roc, *found.precision_recall)} == {1.0}
    assert found.roc[0].points[0] == (0.0, 1.0)
