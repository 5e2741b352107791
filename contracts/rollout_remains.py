"""What a damaged `rollout.json` still says for sure: which release was chosen last, and which ones before it."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, ValidationError

from contracts.home import Home
from contracts.rollout import Rollout
from contracts.rollout_history import RolloutChange


class _Remains(BaseModel):
    """All of the history or nothing: without a rollback that it held, a release that failed would serve again."""

    model_config = ConfigDict(extra="ignore", frozen=True)

    task: str
    history: tuple[RolloutChange, ...]


def remains_of_rollout(home: Home, task: str) -> Rollout | None:
    """The rollout that its history tells: the last promotion or rollback holds, and nothing is tried beside it.

    None where not even that can be read. The other fields are passed over: one that somebody wrote by hand is what
    mostly damages the file.
    """
    try:
        found = _Remains.model_validate_json(home.rollout(task).read_bytes())
    except (OSError, ValidationError):
        return None
    chosen = [change.version for change in found.history if change.of_stable]
    if found.task != task or not chosen:
        return None
    return Rollout(task=task, generation=len(found.history), stable=chosen[-1], history=found.history)
