"""Intervals of shares against published examples."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from training.evaluation.proportions import difference, wilson


def test_wilson_as_published() -> None:
    found = wilson(81, 263)  # Newcombe 1998, "Two-sided confidence intervals for the single proportion", table I
    assert (found.low, found.high) == pytest.approx((0.2553, 0.3662), abs=1e-4)
    found = wilson(0, 20)
    assert (found.low, found.high) == pytest.approx((0.0, 0.1611), abs=1e-4)


def test_differences_as_published() -> None:
    found = difference(56, 70, 48, 80)  # Newcombe 1998, "Interval estimation for the difference", table II, method 10
    assert (found.low, found.high) == pytest.approx((0.0524, 0.3339), abs=1e-4)
    assert found.excludes_zero
    assert not difference(9, 10, 8, 10).excludes_zero


@given(st.integers(1, 200), st.integers(1, 200), st.data())
def test_the_gap_lies_within_and_surer_is_wider(rows: int, others: int, data: st.DataObject) -> None:
    right, other_right = data.draw(st.integers(0, rows)), data.draw(st.integers(0, others))
    narrow, wide = (difference(right, rows, other_right, others, alpha=alpha) for alpha in (0.05, 0.01))
    gap = right / rows - other_right / others
    assert wide.low - 1e-9 <= narrow.low <= gap + 1e-9
    assert gap - 1e-9 <= narrow.high <= wide.high + 1e-9


@given(st.integers(1, 2000), st.data())
def test_a_share_lies_in_its_own_interval(rows: int, data: st.DataObject) -> None:
    for right in (0, rows, data.draw(st.integers(0, rows))):
        found = wilson(right, rows)
        assert 0.0 <= found.low <= right / rows <= found.high <= 1.0
