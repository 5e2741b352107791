"""Slices that fall behind are told; chance is not."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest

from training.evaluation.slices import OTHERS, by_length, judge_slices, warn_of


def test_a_slice_that_falls_behind_is_told() -> None:
    rng = np.random.default_rng(2)
    source = ["mail"] * 400 + ["chat"] * 100
    right = np.array([*(rng.random(400) < 0.95), *(rng.random(100) < 0.7)])
    found = judge_slices({"source": source}, right)
    assert (found[0].value, found[0].verdict, found[0].rows) == ("chat", "behind", 100)
    assert found[0].gap == pytest.approx(right[400:].mean() - right[:400].mean())
    assert found[1].verdict == "ok"
    (warning,) = warn_of(found)
    assert "'chat'" in warning
    assert "points" in warning


def test_chance_alone_hardly_ever_warns() -> None:
    rng = np.random.default_rng(9)
    warned = 0
    for _ in range(200):
        right = rng.random(600) < 0.85
        values = {name: rng.choice(list("abcde"), 600).tolist() for name in ("one", "two", "three")}
        warned += bool(warn_of(judge_slices(values, right)))
    assert warned <= 16  # five in a hundred, and what 200 tries may stray from it


def test_small_slices_have_no_verdict_and_equal_rows_no_slices() -> None:
    right = np.array([True] * 100 + [False] * 10)
    found = judge_slices({"source": ["a"] * 100 + ["b"] * 10, "script": ["Latin"] * 110}, right)
    assert {one.property for one in found} == {"source"}
    assert {one.verdict for one in found} == {"insufficient"}
    assert warn_of(found) == []
    assert judge_slices({}, right) == ()


def test_rare_values_are_taken_together() -> None:
    values = [f"shop {number % 50}" for number in range(500)] + ["shop 0"] * 20
    found = judge_slices({"shop": values}, np.ones(520, dtype=bool))
    assert len(found) == 21
    assert OTHERS in {one.value for one in found}


def test_lengths_are_thirds_and_what_is_cut() -> None:
    found = by_length(np.array([3, 4, 5, 6, 7, 8, 9, 40, 50]), 16)
    assert Counter(found["length"]) == {"up to 5 tokens": 3, "6 to 8 tokens": 3, "over 8 tokens": 3}
    assert found["part that is read"] == ["all"] * 7 + ["the first 16 tokens"] * 2


@pytest.mark.parametrize(
    ("lengths", "named"),
    [
        ([3, 3, 4, 4, 5, 5], ["up to 3 tokens", "4 tokens", "over 4 tokens"]),
        ([3, 3, 3, 3, 3, 5], ["up to 3 tokens", "over 3 tokens"]),
        ([3, 3, 3], ["up to 3 tokens"]),
    ],
)
def test_no_length_is_in_two_thirds_by_name(lengths: list[int], named: list[str]) -> None:
    assert list(dict.fromkeys(by_length(np.array(lengths), 16)["length"])) == named
