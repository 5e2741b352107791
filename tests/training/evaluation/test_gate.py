"""The gate is open exactly when every rule holds."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from contracts.task import GateSpec
from training.evaluation.gate import judge, refusals

share = st.floats(0, 1)


@given(share, share, st.floats(-1, 1), st.floats(0.01, 500), share, share, share, st.floats(0.01, 500))
def test_each_rule_decides_alone(
    accuracy: float, f1: float, drop: float, size: float, low: float, low_f1: float, most: float, largest: float
) -> None:
    gate = GateSpec(min_accuracy=low, min_macro_f1=low_f1, max_quantization_drop=most, max_size_mb=largest)
    figures = {"accuracy": accuracy, "macro_f1": f1, "quantization_drop": drop, "size_mb": size}
    verdicts = judge(gate, figures)
    assert [verdict.passed for verdict in verdicts] == [accuracy >= low, f1 >= low_f1, drop <= most, size <= largest]
    assert len(refusals(verdicts, gate, rows=100)) == sum(not verdict.passed for verdict in verdicts)


@pytest.mark.parametrize("name", ["accuracy", "macro_f1", "quantization_drop", "size_mb"])
def test_what_is_no_number_fails(name: str) -> None:
    figures = {"accuracy": 1.0, "macro_f1": 1.0, "quantization_drop": 0.0, "size_mb": 1.0, name: math.nan}
    assert len(refusals(judge(GateSpec(), figures), GateSpec(), rows=100)) == 1


def test_a_refusal_names_rule_and_figures() -> None:
    figures = {"accuracy": 0.5, "macro_f1": 1.0, "quantization_drop": 0.0, "size_mb": 1.0}
    gate = GateSpec(min_accuracy=0.9)
    assert refusals(judge(gate, figures), gate, rows=10) == ["min_accuracy: expected >= 0.9, found 0.5000"]


@pytest.mark.parametrize(("rows", "told"), [(45, True), (49, True), (50, False)])
def test_a_drop_that_one_row_makes_is_told_as_such(rows: int, told: bool) -> None:
    figures = {"accuracy": 1.0, "macro_f1": 1.0, "quantization_drop": 1 / 45, "size_mb": 1.0}
    [found] = refusals(judge(GateSpec(), figures), GateSpec(), rows)
    assert (f"one of {rows} test rows alone is" in found) == told
