"""From findings to one word: Holm's correction, effect floors, and the run of drifted windows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from contracts.verdict import Detector, Verdict, VerdictWord
from monitoring.drift import EFFECT_FLOORS, Finding


def holm(p_values: Sequence[float]) -> list[float]:
    """Adjusted p-values in the order given: all those <= alpha may be called drift at family-wise rate alpha.

    Source: Holm 1979, A simple sequentially rejective multiple test procedure, Scand. J. Stat. 6. It holds whatever
    the dependence between the tests.
    """
    order = sorted(range(len(p_values)), key=lambda index: p_values[index])
    adjusted = [0.0] * len(p_values)
    highest = 0.0
    for rank, index in enumerate(order):
        highest = max(highest, min(1.0, p_values[index] * (len(p_values) - rank)))
        adjusted[index] = highest
    return adjusted


def detectors(
    findings: Sequence[Finding], alpha: float, floors: Mapping[str, float] = EFFECT_FLOORS
) -> tuple[Detector, ...]:
    """Each finding's word: drift when it is both beyond chance and large enough to matter."""
    adjusted = holm([finding.p_value for finding in findings])
    return tuple(
        Detector(
            name=finding.name,
            score=finding.score,
            p_value=finding.p_value,
            adjusted_p_value=corrected,
            effect=finding.effect,
            verdict="drift" if corrected <= alpha and finding.effect >= floors[finding.name] else "ok",
        )
        for finding, corrected in zip(findings, adjusted, strict=True)
    )


def word(found: Sequence[Detector]) -> VerdictWord:
    """The window's verdict. Without a single detector's word it is `insufficient`."""
    if not found:
        return "insufficient"
    return "drift" if any(detector.verdict == "drift" for detector in found) else "ok"


@dataclass(frozen=True)
class Run:
    """How long drift has lasted."""

    run: int
    alerting: bool
    alert_started: float | None
    started: float | None = None  # time of the run's first record


def follow(previous: Verdict | None, verdict: VerdictWord, required: int, now: float, started: float) -> Run:
    """The run with this window added. `previous` is the same release's window before, or None; `started` is the
    time of this window's first record.

    An insufficient window neither lengthens the run nor ends it.
    """
    before = (
        Run(previous.run, previous.alerting, previous.alert_started, previous.run_started)
        if previous
        else Run(0, False, None)
    )
    if verdict == "insufficient":
        return before
    if verdict == "ok":
        return Run(0, False, None)
    run = before.run + 1
    since = before.started if before.started is not None else started
    if run < required:
        return Run(run, False, None, since)
    return Run(run, True, before.alert_started if before.alert_started is not None else now, since)
