"""Temperature scaling and calibration error, by their properties."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from training.evaluation.calibration import (
    expected_calibration_error,
    fit_temperature,
    reliability,
    reliability_of,
    softmax,
)

logit_tables = arrays.arrays(
    np.float32,
    st.tuples(st.integers(1, 30), st.integers(2, 5)),
    elements=st.floats(-12, 12, width=32),
)


def answers(logits: np.ndarray, seed: int) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, logits.shape[1], len(logits))


@given(logit_tables, st.integers(0, 99))
def test_a_temperature_is_a_positive_number_that_changes_no_answer(logits: np.ndarray, seed: int) -> None:
    temperature = fit_temperature(logits, answers(logits, seed))
    assert 0.05 <= temperature <= 20.0
    scaled = softmax(logits, temperature)
    ordered = np.sort(logits, axis=1)
    clear = ordered[:, -1] - ordered[:, -2] > 1e-3
    assert (scaled.argmax(axis=1) == logits.argmax(axis=1))[clear].all()
    np.testing.assert_allclose(scaled.sum(axis=1), 1.0, atol=1e-5)


@pytest.mark.parametrize("true_temperature", [0.4, 1.0, 2.5])
def test_the_temperature_that_made_the_labels_is_found(true_temperature: float) -> None:
    rng = np.random.default_rng(4)
    logits = rng.normal(0, 2, (20_000, 4)).astype(np.float32)
    chances = softmax(logits, true_temperature)
    truth = (chances.cumsum(axis=1) > rng.random((len(chances), 1))).argmax(axis=1)
    assert fit_temperature(logits, truth) == pytest.approx(true_temperature, rel=0.05)


def test_a_model_without_error_on_few_rows_is_not_called_certain() -> None:
    logits = np.array([[3.0, 0.0], [0.0, 3.0]] * 10, dtype=np.float32)
    scores = softmax(logits, fit_temperature(logits, logits.argmax(axis=1))).max(axis=1)
    assert scores.max() < 0.99


@given(logit_tables, st.integers(0, 99))
def test_calibration_error_is_a_share_and_no_row_is_lost(logits: np.ndarray, seed: int) -> None:
    bins = reliability(softmax(logits), answers(logits, seed))
    assert sum(entry.rows for entry in bins) == len(logits)
    assert 0.0 <= expected_calibration_error(bins) <= 1.0


def test_calibration_error_by_hand() -> None:
    probabilities = np.array([[0.9, 0.1]] * 10 + [[0.4, 0.6]] * 10, dtype=np.float32)
    truth = np.array([0] * 8 + [1] * 2 + [1] * 6 + [0] * 4)
    assert expected_calibration_error(reliability(probabilities, truth)) == pytest.approx(0.05, abs=1e-6)
    assert expected_calibration_error([]) == 0.0


def test_scores_of_any_answers_are_held_against_how_often_they_are_right() -> None:
    bins = reliability_of(np.array([0.95] * 10 + [0.15] * 10, dtype=np.float32), np.array([True] * 9 + [False] * 11))
    assert [(entry.rows, entry.accuracy) for entry in bins] == [(10, 0.0), (10, 0.9)]
    assert expected_calibration_error(bins) == pytest.approx((0.15 + 0.05) / 2, abs=1e-6)
    assert reliability_of(np.zeros(0, dtype=np.float32), np.zeros(0, dtype=np.bool_)) == []
