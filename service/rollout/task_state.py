"""What a worker knows of one task: which releases are loaded, in which role, and why one is not. Values only."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from functools import cached_property

from contracts.records import Role
from contracts.rollout import Rollout, predecessor
from service.engine.model import LoadedRelease
from service.errors import TaskNotServedError, VersionNotServedError
from service.rollout.trials import in_share

Fingerprint = tuple[int, int, int]

FIRST_RETRY_SECONDS = 2.0
_LAST_RETRY_SECONDS = 60.0


@dataclass(frozen=True, slots=True)
class Routed:
    """A loaded release and what it is there for."""

    release: LoadedRelease
    role: Role
    share: float = 1.0  # of the callers (canary) or of the traffic (shadow)


@dataclass(frozen=True)
class TaskState:
    """What is known of one task. A change is a new state, put in place of the old one at once."""

    task: str
    stable: Routed | None = None
    canary: Routed | None = None
    shadow: Routed | None = None
    rollout: Rollout | None = None
    stable_problem: str | None = None  # why the release that the rollout wants is not the one that answers
    trial_problem: str | None = None  # why the canary or the shadow that it wants is not loaded
    seen: Fingerprint | None = None  # of rollout.json when it was last read
    retry_at: float | None = None  # monotonic time of the next try to load
    retry_seconds: float = FIRST_RETRY_SECONDS

    @property
    def release(self) -> LoadedRelease | None:
        """The stable release."""
        return self.stable.release if self.stable is not None else None

    @cached_property
    def places(self) -> tuple[Routed, ...]:
        """Everything that is loaded, the stable release first."""
        return tuple(routed for routed in (self.stable, self.canary, self.shadow) if routed is not None)

    @cached_property
    def labels(self) -> frozenset[str]:
        """The labels of every loaded release: feedback may name any of them."""
        return frozenset(label for routed in self.places for label in routed.release.labels)

    @property
    def previous(self) -> str | None:
        """The release that a rollback would bring back."""
        return predecessor(self.rollout) if self.rollout else None

    @property
    def problem(self) -> str | None:
        """Why not every release that the rollout wants is loaded."""
        return " ".join(filter(None, (self.stable_problem, self.trial_problem))) or None

    @property
    def state(self) -> str:
        """`serving`, `degraded` (not every release that is wanted is loaded), or `unavailable`."""
        if self.stable is None:
            return "unavailable"
        return "degraded" if self.problem else "serving"

    def route(self, key: str | None, version: str | None) -> Routed:
        """Which loaded release answers.

        `key` is what a canary sticks to, such as the caller's prediction id; without one the stable release answers.
        With `version`, that release answers, whatever its place; in the role `requested`, unless it is the stable one,
        which would have answered anyhow. Raises TaskNotServedError or VersionNotServedError.
        """
        if self.stable is None:
            raise TaskNotServedError(
                self.task, self.stable_problem or "its release is being loaded. Try again in a moment."
            )
        if version is not None:
            for routed in self.places:
                if routed.release.version == version:
                    return routed if routed.role == "stable" else replace(routed, role="requested")
            served = [f"{routed.release.version} ({routed.role})" for routed in self.places]
            raise VersionNotServedError(self.task, version, served)
        canary = self.canary
        if canary is None or key is None or not in_share(self.task, canary.release.version, key, canary.share):
            return self.stable
        return canary


def placed(
    state: TaskState, rollout: Rollout, loaded: Iterable[LoadedRelease], standby: LoadedRelease | None = None
) -> TaskState:
    """The state in which each loaded release has the place that the rollout gives it.

    A stable release that is not loaded yet leaves the one before it in its place, or `standby` where there is none; a
    trial that is not has none.
    """
    known = {release.version: release for release in loaded}

    def at(role: Role, version: str | None, share: float) -> Routed | None:
        return Routed(known[version], role, share) if version in known else None

    return replace(
        state,
        rollout=rollout,
        stable=at("stable", rollout.stable, 1.0) or state.stable or (Routed(standby, "stable") if standby else None),
        canary=at("canary", rollout.canary, rollout.canary_share),
        shadow=at("shadow", rollout.shadow, rollout.shadow_share),
    )


def tried_later(state: TaskState, now: float) -> TaskState:
    """The state with its next try to load at a growing distance from `now` (monotonic seconds)."""
    return replace(
        state,
        retry_at=now + state.retry_seconds,
        retry_seconds=min(2 * state.retry_seconds, _LAST_RETRY_SECONDS),
    )
