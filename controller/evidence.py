"""What a decision stands on: the champion, since when it serves, and the monitor's newest verdict."""

from __future__ import annotations

from dataclasses import dataclass

from contracts.errors import PerennialError
from contracts.home import Home
from contracts.release_store import read_manifest
from contracts.rollout import Rollout, read_rollout
from contracts.verdict import Verdict, read_latest
from controller.policy import Champion


class NoChampionError(PerennialError):
    """No release serves the task, so that there is nothing to compare with."""


@dataclass(frozen=True)
class Evidence:
    """`labels` are those the champion knows; `serving_since` is in seconds since the epoch, UTC."""

    champion: Champion
    labels: tuple[str, ...]
    serving_since: float
    verdict: Verdict | None


def gather_evidence(home: Home, task: str) -> Evidence:
    """Read it from the home. Raises NoChampionError, RolloutError, ReleaseNotFoundError, ReleaseCorruptError."""
    rollout = read_rollout(home, task)
    if rollout is None:
        raise NoChampionError(
            f"Task {task}: expected a release that serves, found none. Train one with `perennial train`."
        )
    manifest = read_manifest(home, task, rollout.stable)
    return Evidence(
        champion=Champion(rollout.stable, manifest.spec),
        labels=manifest.labels,
        serving_since=serving_since(rollout, manifest.created),
        verdict=read_latest(home, task),
    )


def serving_since(rollout: Rollout, created: float) -> float:
    """When the stable release first began to serve: what came later, it has not learned from.

    The first promotion counts, not the latest: a release that a rollback brought back has not seen its successor's
    labels either. Without one in the history (which keeps the newest 100 changes), when the release was made.
    """
    return next(
        (change.time for change in rollout.history if change.action == "promote" and change.version == rollout.stable),
        created,
    )
