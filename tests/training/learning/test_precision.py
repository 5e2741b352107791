"""bfloat16 only where it pays."""

from __future__ import annotations

import pytest

from contracts.task import TrainSpec
from training.learning.precision import trains_in_bf16

NATIVE = "flags : fpu avx512f avx512_bf16 avx512_vnni"


@pytest.mark.parametrize(
    ("precision", "on_cpu", "cpu_info", "expected"),
    [
        ("auto", True, NATIVE, True),
        ("auto", True, "flags : fpu amx_bf16", True),
        ("auto", True, "flags : fpu avx2", False),
        ("auto", True, "", False),
        ("auto", False, NATIVE, False),
        ("fp32", True, NATIVE, False),
        ("bf16", True, "flags : fpu avx2", True),
    ],
)
def test_bf16_is_taken_where_the_cpu_computes_in_it(
    precision: str, on_cpu: bool, cpu_info: str, expected: bool
) -> None:
    recipe = TrainSpec.model_validate({"precision": precision})
    assert trains_in_bf16(recipe, on_cpu=on_cpu, cpu_info=cpu_info) is expected
