"""Wilson's interval, the confidence threshold, and measured accuracy."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitoring.accuracy import Answer, assess, estimate, fit_threshold, wilson_interval

counts = st.integers(1, 2000).flatmap(lambda total: st.tuples(st.integers(0, total), st.just(total)))


@given(counts)
def test_the_interval_holds_the_share_and_stays_within_0_and_1(found: tuple[int, int]) -> None:
    right, total = found
    interval = wilson_interval(right, total)
    assert 0.0 <= interval.low <= right / total <= interval.high <= 1.0
    assert interval.low < interval.high


@given(counts)
def test_the_interval_solves_its_equation(found: tuple[int, int]) -> None:
    right, total = found
    interval = wilson_interval(right, total)
    for end in (interval.low, interval.high):
        if 0 < end < 1:
            assert (right / total - end) ** 2 == pytest.approx(
                1.959964**2 * end * (1 - end) / total, rel=1e-4, abs=1e-12
            )


def test_known_intervals() -> None:
    assert wilson_interval(0, 0).low == 0.0
    assert wilson_interval(0, 0).high == 1.0
    # Newcombe 1998, table I: 81 of 263.
    interval = wilson_interval(81, 263)
    assert (round(interval.low, 4), round(interval.high, 4)) == (0.2553, 0.3662)


def test_the_estimate_of_the_reference_is_its_own_accuracy() -> None:
    rng = np.random.default_rng(0)
    scores = rng.beta(8, 2, 3000).astype(np.float32)
    correct = rng.random(3000) < scores
    threshold = fit_threshold(scores, correct)
    assert estimate(threshold, scores) == pytest.approx(correct.mean(), abs=1 / 3000)


def test_the_estimate_follows_a_fall_in_confidence() -> None:
    rng = np.random.default_rng(0)
    scores = rng.beta(9, 1, 4000)
    correct = rng.random(4000) < scores
    shifted = rng.beta(3, 2, 4000)
    found = estimate(fit_threshold(scores.astype(np.float32), correct), shifted.astype(np.float32))
    assert found < correct.mean() - 0.1


def test_of_answers_with_one_id_the_last_counts() -> None:
    answers = [Answer("a", "x", 0.9), Answer("b", "x", 0.9), Answer("a", "y", 0.1), Answer("a", "z", 0.2)]
    found = assess(answers, {"a": "z", "b": "y"}, 0.9, 0.5)
    assert (found.labelled, found.measured, found.estimated) == (2, 0.5, 0.5)


@pytest.mark.parametrize("share", [0.0, 1.0])
def test_all_right_or_all_wrong_has_a_threshold_too(share: float) -> None:
    scores = np.linspace(0.2, 1.0, 50, dtype=np.float32)
    threshold = fit_threshold(scores, np.full(50, bool(share)))
    assert estimate(threshold, scores) == share


def test_measured_counts_labelled_answers_alone() -> None:
    answers = [Answer(f"p{i}", "a", 0.9) for i in range(10)]
    truth = {"p0": "a", "p1": "a", "p2": "b", "elsewhere": "b"}
    found = assess(answers, truth, 0.95, threshold=0.5)
    assert (found.labelled, found.measured, found.estimated) == (3, 2 / 3, 1.0)
    assert found.measured_low is not None
    assert found.measured_low < 2 / 3
    none = assess(answers, {}, 0.95, threshold=0.95)
    assert (none.labelled, none.measured, none.measured_low, none.estimated) == (0, None, None, 0.0)
