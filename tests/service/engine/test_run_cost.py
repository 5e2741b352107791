from __future__ import annotations

import math
from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.engine.run_cost import RunCost, measure, measure_wide, run_cost


@given(st.floats(1e-6, 1e-2), st.floats(2.0, 32.0), st.integers(4, 64))
def test_the_cost_that_made_the_times_is_found(token_seconds: float, overhead: float, tokens: int) -> None:
    made = RunCost(token_seconds, overhead)
    found = run_cost(tokens, made.seconds(tokens), made.seconds(8 * tokens))
    assert found.overhead == pytest.approx(overhead)
    assert found.token_seconds == pytest.approx(token_seconds)


@given(st.floats(1e-6, 1.0), st.floats(1e-6, 1.0), st.integers(1, 512))
def test_whatever_was_measured_a_text_alone_takes_what_it_took(alone: float, many: float, tokens: int) -> None:
    found = run_cost(tokens, alone, many)
    assert found.seconds(tokens) == pytest.approx(alone)
    assert 2.0 <= found.overhead <= 32.0
    assert found.token_seconds > 0


def seconds_of(made: RunCost, lengths: Sequence[int]) -> float:
    """As the docstring of RunCost says."""
    own = made.overhead + (1 - made.padded) * sum(lengths)
    return (own + len(lengths) * made.place(max(lengths))) * made.token_seconds


@given(st.floats(1e-6, 1e-2), st.floats(4.0, 100.0), st.floats(0.06, 1.0))
def test_what_padding_costs_is_found(token_seconds: float, overhead: float, padded: float) -> None:
    made = RunCost(token_seconds, overhead, padded)
    found = measure(lambda lengths: seconds_of(made, lengths), 15, 256)
    assert found.overhead == pytest.approx(min(overhead, 32.0))
    assert found.padded == pytest.approx(padded)
    assert found.square == pytest.approx(0.0, abs=1e-6)


def test_long_texts_cost_more_than_their_tokens() -> None:
    made = RunCost(0.001, 16.0, 0.3, 0.003)
    found = measure(lambda lengths: seconds_of(made, lengths), 15, 256)
    assert found.square == pytest.approx(made.square, rel=0.1)
    assert found.seconds(256) == pytest.approx(made.seconds(256), rel=0.02)


@given(st.lists(st.floats(1e-6, 1.0), min_size=4, max_size=4), st.integers(3, 40), st.integers(40, 256))
def test_whatever_was_measured_the_cost_is_one_that_can_be(times: list[float], tokens: int, most: int) -> None:
    alone, many, uneven, long = times

    def run(lengths: Sequence[int]) -> float:
        if len(lengths) == 1:
            return long if lengths[0] == most else alone
        return many if lengths[0] == lengths[-1] else uneven

    found = measure(run, tokens, most)
    assert found.token_seconds > 0
    assert 2.0 <= found.overhead <= 32.0
    assert 0.0 < found.padded <= 1.0
    assert found.square >= 0.0


def test_the_fastest_runs_count() -> None:
    made = RunCost(0.001, 8.0)
    slower = iter([3.0, 1.0, 2.0, 1.5, 1.0])

    def run(lengths: Sequence[int]) -> float:
        return (next(slower) if lengths == [10] else 1.0) * seconds_of(made, lengths)

    assert measure(run, 10, 64).overhead == pytest.approx(8.0)


def test_all_cores_are_for_texts_that_they_answer_a_fifth_sooner() -> None:
    def run(tokens: int, wide: bool) -> float:
        return tokens * (0.75 if tokens >= 100 else 0.85) if wide else tokens

    assert measure_wide(RunCost(0.001), run, 256).wide_from == 128
    assert measure_wide(RunCost(0.001), run, 110).wide_from == 110
    assert measure_wide(RunCost(0.001), run, 64).wide_from == math.inf


def test_a_slow_network_is_not_timed_for_long() -> None:
    taken: list[float] = []

    def run(lengths: Sequence[int]) -> float:
        taken.append(0.004 * sum(lengths))
        return taken[-1]

    cost = measure(run, 16, 256)
    assert cost.token_seconds == pytest.approx(0.004, rel=0.5)
    assert len(taken) == 2 * 4, "two rounds"
    taken.clear()
    measure_wide(cost, lambda tokens, _wide: run([tokens]), 256)
    assert taken.count(0.004 * 256) == 2, "the longest once, on all cores and on one"
