"""May this artefact be published? A pure comparison of what was measured with what the task asks for."""

from __future__ import annotations

from collections.abc import Mapping

from contracts.release import GateVerdict
from contracts.task import GateSpec

_FLOOR = "min_"
_DROP = "max_quantization_drop"


def judge(gate: GateSpec, metrics: Mapping[str, float]) -> tuple[GateVerdict, ...]:
    """One verdict a rule, passed or not.

    A floor is held against the figure of its name, where that was measured; one that a task sets for what its kind does
    not measure fails, and so does a figure that is no number. What int8 costs and the size are always judged.
    """
    floors = [(name, float(getattr(gate, name))) for name in type(gate).model_fields if name.startswith(_FLOOR)]
    return (
        *(
            _at_least(name, metrics.get(name.removeprefix(_FLOOR)), floor)
            for name, floor in floors
            if floor != 0 or name.removeprefix(_FLOOR) in metrics
        ),
        _at_most(_DROP, metrics["quantization_drop"], gate.max_quantization_drop),
        _at_most("max_size_mb", metrics["size_mb"], gate.max_size_mb),
    )


def refusals(verdicts: tuple[GateVerdict, ...], gate: GateSpec, rows: int) -> list[str]:
    """What failed, in words; empty when the gate is open. `rows` are those of the test."""
    told = [f"{v.name}: expected {v.expected}, found {v.found}" for v in verdicts if not v.passed]
    if gate.max_quantization_drop < 1 / rows:
        one = f", where one of {rows} test rows alone is {1 / rows:.4f}: more of them, or a larger bound, tell more"
        told = [f"{words}{one}" if words.startswith(_DROP) else words for words in told]
    return told


def _at_least(name: str, found: float | None, floor: float) -> GateVerdict:
    told = "nothing, as this kind of task does not measure it" if found is None else f"{found:.4f}"
    return GateVerdict(name=name, passed=found is not None and found >= floor, expected=f">= {floor:g}", found=told)


def _at_most(name: str, found: float, ceiling: float) -> GateVerdict:
    return GateVerdict(name=name, passed=found <= ceiling, expected=f"<= {ceiling:g}", found=f"{found:.4f}")
