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
    assert len(refusals(verdicts)) == sum(not verdict.passed for verdict in verdicts)


@pytest.mark.parametrize("name", ["accuracy", "macro_f1", "quantization_drop", "size_mb"])
def test_what_is_no_number_fails(name: str) -> None:
    figures = {"accuracy": 1.0, "macro_f1": 1.0, "quantization_drop": 0.0, "size_mb": 1.0, name: math.nan}
    assert len(refusals(judge(GateSpec(), figures))) == 1


def test_a_refusal_names_rule_and_figures() -> None:
    figures = {"accuracy": 0.5, "macro_f1": 1.0, "quantization_drop": 0.0, "size_mb": 1.0}
    assert refusals(judge(GateSpec(min_accuracy=0.9), figures)) == ["min_accuracy: expected >= 0.9, found 0.5000"]
