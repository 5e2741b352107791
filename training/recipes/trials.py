"""What a study has tried, free of the library that ran it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import optuna
from optuna.trial import TrialState

_STATES: dict[TrialState, Literal["complete", "pruned", "failed"]] = {
    TrialState.COMPLETE: "complete",
    TrialState.PRUNED: "pruned",
    TrialState.FAIL: "failed",
}


@dataclass(frozen=True)
class Tried:
    """One trial that has ended. `value` is its best validation score, 0..1; of one that was stopped, its last."""

    number: int
    state: Literal["complete", "pruned", "failed"]
    value: float | None
    settings: Mapping[str, float]
    scores: tuple[float, ...]  # validation's, by epoch
    seconds: float
    error: str | None = None


def tried_of(study: optuna.Study) -> list[Tried]:
    """The trials that have ended, by number."""
    return [_tried(trial) for trial in study.get_trials(deepcopy=False) if trial.state in _STATES]


def best_of(tried: Sequence[Tried]) -> Tried | None:
    """The complete trial of the highest value, the earliest of several; None while there is none."""
    complete = [one for one in tried if one.state == "complete" and one.value is not None]
    return max(complete, key=lambda one: (one.value or 0.0, -one.number), default=None)


def _tried(trial: optuna.trial.FrozenTrial) -> Tried:
    scores = tuple(value for _, value in sorted(trial.intermediate_values.items()))
    taken = trial.duration
    return Tried(
        number=trial.number,
        state=_STATES[trial.state],
        value=trial.value if trial.value is not None else (scores[-1] if scores else None),
        settings=dict(trial.params),
        scores=scores,
        seconds=taken.total_seconds() if taken is not None else 0.0,
        error=trial.user_attrs.get("error"),
    )
