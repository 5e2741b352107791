"""May this artefact be published? A pure comparison of what was measured with what the task asks for."""

from __future__ import annotations

from collections.abc import Mapping

from contracts.release import GateVerdict
from contracts.task import GateSpec


def judge(gate: GateSpec, metrics: Mapping[str, float]) -> tuple[GateVerdict, ...]:
    """One verdict a rule, passed or not.

    Reads `accuracy`, `macro_f1`, `quantization_drop` and `size_mb`. A figure that is no number fails its rule.
    """
    return (
        _at_least("min_accuracy", metrics["accuracy"], gate.min_accuracy),
        _at_least("min_macro_f1", metrics["macro_f1"], gate.min_macro_f1),
        _at_most("max_quantization_drop", metrics["quantization_drop"], gate.max_quantization_drop),
        _at_most("max_size_mb", metrics["size_mb"], gate.max_size_mb),
    )


def refusals(verdicts: tuple[GateVerdict, ...]) -> list[str]:
    """What failed, in words; empty when the gate is open."""
    return [f"{v.name}: expected {v.expected}, found {v.found}" for v in verdicts if not v.passed]


def _at_least(name: str, found: float, floor: float) -> GateVerdict:
    return GateVerdict(name=name, passed=found >= floor, expected=f">= {floor:g}", found=f"{found:.4f}")


def _at_most(name: str, found: float, ceiling: float) -> GateVerdict:
    return GateVerdict(name=name, passed=found <= ceiling, expected=f"<= {ceiling:g}", found=f"{found:.4f}")
