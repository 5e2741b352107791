from __future__ import annotations

import math

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


def test_the_fastest_runs_count() -> None:
    made = RunCost(0.001, 8.0)
    taken = iter([3.0, 1.0, 2.0, 1.5, 1.0])

    def run(texts: int) -> float:
        slower = next(taken) if texts == 1 else 1.0
        return slower * made.seconds(10 * texts)

    assert measure(run, 10).overhead == pytest.approx(8.0)


def test_all_cores_are_for_texts_that_they_answer_a_fifth_sooner() -> None:
    def run(tokens: int, wide: bool) -> float:
        return tokens * (0.75 if tokens >= 100 else 0.85) if wide else tokens

    assert measure_wide(RunCost(0.001), run, 256).wide_from == 128
    assert measure_wide(RunCost(0.001), run, 110).wide_from == 110
    assert measure_wide(RunCost(0.001), run, 64).wide_from == math.inf
