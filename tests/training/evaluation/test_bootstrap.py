"""Bootstrap intervals: that they hold the truth as often as they say, and what they do at the edges."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import f1_score

from training.evaluation.bootstrap import (
    accuracy_estimate,
    correlation_estimate,
    correlation_gain,
    f1_estimate,
    indicators,
    macro_f1_estimate,
    paired_gain,
)
from training.kinds.nearness import spearman


def test_ninety_five_of_a_hundred_intervals_hold_the_true_accuracy() -> None:
    rng = np.random.default_rng(3)
    held = 0
    for seed in range(300):
        found = accuracy_estimate(rng.random(200) < 0.8, seed=seed, resamples=400)
        held += found.interval.low <= 0.8 <= found.interval.high
    assert 0.90 <= held / 300 <= 0.98


def test_a_paired_gain_is_seen_where_two_intervals_overlap() -> None:
    rng = np.random.default_rng(5)
    baseline = rng.random(600) < 0.8
    model = baseline | (rng.random(600) < 0.15)
    alone = [accuracy_estimate(right, seed=1).interval for right in (model, baseline)]
    assert alone[0].low < alone[1].high
    gain = paired_gain(model.astype(np.float32) - baseline.astype(np.float32))
    assert gain.interval.low > 0
    assert gain.interval.excludes_zero


@pytest.mark.parametrize(("differ", "seen"), [(0, False), (1, False), (4, False), (6, True)])
def test_a_few_rows_of_a_small_test_set_are_chance(differ: int, seen: bool) -> None:
    """As by McNemar's exact test: p is 0.125 for four rows against none, 0.03 for six."""
    values = np.zeros(38, dtype=np.float32)
    values[:differ] = 1
    for gain in (paired_gain(values), paired_gain(-values)):
        assert gain.interval.excludes_zero == seen
        assert gain.interval.low < gain.interval.high


def test_ninety_five_of_a_hundred_intervals_hold_the_true_gain() -> None:
    rng = np.random.default_rng(3)
    held = 0
    for _ in range(1000):
        values = rng.choice([1, 0, -1], 60, p=[0.10, 0.85, 0.05]).astype(np.float32)
        held += (found := paired_gain(values).interval).low <= 0.05 <= found.high
    assert 0.94 <= held / 1000 <= 0.98


@given(st.lists(st.sampled_from([-1.0, -0.5, 0.0, 0.25, 1.0]), min_size=1, max_size=30))
def test_a_gain_lies_in_its_interval(values: list[float]) -> None:
    found = paired_gain(np.array(values, dtype=np.float32))
    assert -1.0 <= found.interval.low <= found.value <= found.interval.high <= 1.0


@given(st.lists(st.booleans(), min_size=1, max_size=60), st.integers(0, 9))
def test_an_estimate_lies_in_its_interval_and_is_seeded(right: list[bool], seed: int) -> None:
    found = accuracy_estimate(np.array(right), seed=seed, resamples=50)
    assert 0.0 <= found.interval.low <= found.value <= found.interval.high <= 1.0
    assert found == accuracy_estimate(np.array(right), seed=seed, resamples=50)
    assert found.interval.low < found.interval.high


@given(st.lists(st.tuples(st.integers(0, 4), st.integers(0, 4)), min_size=1, max_size=60))
def test_macro_f1_is_over_the_labels_that_occur(pairs: list[tuple[int, int]]) -> None:
    predicted, truth = np.array(pairs).T
    found = macro_f1_estimate(indicators(predicted, 5), indicators(truth, 5), seed=2, resamples=40)
    expected = f1_score(truth, predicted, labels=sorted(set(truth.tolist())), average="macro", zero_division=0)
    assert found.value == pytest.approx(expected, abs=1e-6)
    assert 0.0 <= found.interval.low <= found.interval.high <= 1.0


@pytest.mark.parametrize(("row", "value"), [((2, 2, 2), 1.0), ((0, 2, 1), 0.0), ((0, 0, 0), 0.0)])
def test_a_few_rows_that_are_all_right_or_all_wrong_prove_little(row: tuple[int, int, int], value: float) -> None:
    few, many = (f1_estimate(np.array([row] * rows, dtype=np.float32), seed=1) for rows in (3, 300))
    assert few.value == many.value == value
    widths = [one.interval.high - one.interval.low for one in (few, many)]
    assert widths[0] > 0.5
    assert 0 < widths[1] < 0.02
    assert few.interval.low <= value <= few.interval.high


def test_many_labels_with_few_rows_do_not_push_the_interval_off_its_figure() -> None:
    rng = np.random.default_rng(0)
    truth = rng.integers(0, 300, 1500)
    predicted = np.where(rng.random(1500) < 0.8, truth, rng.integers(0, 300, 1500))
    found = macro_f1_estimate(indicators(predicted, 300), indicators(truth, 300), seed=1, resamples=200)
    assert found.interval.low < found.value < found.interval.high


def test_a_large_test_set_is_resampled_in_blocks() -> None:
    right = np.random.default_rng(1).random(60_000) < 0.9
    found = accuracy_estimate(right, seed=4, resamples=150)
    assert found.interval.high - found.interval.low == pytest.approx(2 * 1.96 * np.sqrt(0.09 / 60_000), rel=0.25)


@given(st.lists(st.tuples(st.integers(0, 6), st.integers(0, 6)), min_size=1, max_size=40), st.integers(0, 9))
def test_a_rank_correlation_is_that_of_each_resample(pairs: list[tuple[int, int]], seed: int) -> None:
    found, wanted = np.array(pairs, dtype=np.float32).T
    estimate = correlation_estimate(found, wanted, seed=seed, resamples=30)
    assert estimate.value == pytest.approx(spearman(found, wanted), abs=1e-5)
    drawn = np.random.default_rng(seed).integers(0, len(found), (30, len(found)))
    resampled = np.array([spearman(found[rows], wanted[rows]) for rows in drawn])
    low, high = np.quantile(resampled, [0.025, 0.975]) - (resampled.mean() - estimate.value)
    assert (estimate.interval.low, estimate.interval.high) == pytest.approx((max(low, -1), min(high, 1)), abs=1e-4)


def test_a_gain_in_rank_correlation_is_paired() -> None:
    rng = np.random.default_rng(2)
    wanted = rng.random(400).astype(np.float32)
    floor = wanted + rng.normal(0, 0.5, 400).astype(np.float32)
    better = wanted + (floor - wanted) * np.float32(0.8)
    alone = [correlation_estimate(one, wanted, seed=1).interval for one in (better, floor)]
    assert alone[0].low < alone[1].high
    gain = correlation_gain(better, floor, wanted, seed=1)
    assert gain.interval.low > 0
    assert gain.figures("gain") == {
        "gain": gain.value,
        "gain_low": gain.interval.low,
        "gain_high": gain.interval.high,
    }
