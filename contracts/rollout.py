"""`rollout.json`: which release of a task serves, and which, if any, is tried beside it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Literal, Self

from pydantic import Field, ValidationError, model_validator

from contracts.errors import PerennialError, RolloutError
from contracts.files import locked, sha256_file, write_atomic
from contracts.home import Home
from contracts.problems import describe_problems
from contracts.release import MANIFEST_FILE, Manifest
from contracts.release_store import list_versions, read_manifest, verify_release
from contracts.rollout_history import RolloutChange, gone_back_to, newest
from contracts.schema import TASK_NAME, VERSION, Contract

Trial = Literal["canary", "shadow"]


class Rollout(Contract):
    """What the service follows. `generation` rises by one with every change.

    A canary answers its share of the callers. A shadow scores its share of the traffic and answers nobody. Each is
    another release than the stable one, and than the other.
    """

    schema_number: Literal[1] = 1
    task: str = Field(pattern=TASK_NAME)
    generation: int = Field(ge=1)
    stable: str = Field(pattern=VERSION)
    shadow: str | None = Field(None, pattern=VERSION)
    shadow_share: float = Field(1.0, ge=0, le=1, description="without a shadow it means nothing")
    canary: str | None = Field(None, pattern=VERSION)
    canary_share: float = Field(0.0, ge=0, le=1)
    history: tuple[RolloutChange, ...] = ()

    @property
    def stable_sha256(self) -> str | None:
        """What the stable release's manifest.json must have; None where it was chosen by writing the file."""
        return self.sha256_of(self.stable)

    def sha256_of(self, version: str) -> str | None:
        """What a release's manifest.json must have; None where it was chosen by writing the file."""
        signed = (
            change.manifest_sha256
            for change in reversed(self.history)
            if change.version == version and change.action != "end_trial"
        )
        return next(signed, None)

    @model_validator(mode="after")
    def _trials_make_sense(self) -> Self:
        if (self.canary is None) != (self.canary_share == 0.0):
            raise ValueError("`canary` and a `canary_share` above 0 go together")
        if self.shadow is not None and self.shadow_share == 0.0:
            raise ValueError("`shadow` goes with a `shadow_share` above 0")
        if self.stable in (self.canary, self.shadow):
            raise ValueError("`canary` and `shadow` must be other releases than `stable`")
        if self.canary is not None and self.canary == self.shadow:
            raise ValueError("`canary` and `shadow` must be two releases")
        return self


def read_rollout(home: Home, task: str) -> Rollout | None:
    """The task's rollout, or None when nothing was ever promoted. Raises RolloutError when malformed."""
    path = home.rollout(task)
    try:
        rollout = Rollout.model_validate_json(path.read_bytes())
    except FileNotFoundError:
        return None
    except (ValidationError, OSError) as error:
        detail = describe_problems(error) if isinstance(error, ValidationError) else str(error)
        raise RolloutError(
            f"{path}: expected a rollout file, found: {detail} "
            f"Write it anew with `perennial releases promote {task} VERSION`."
        ) from error
    if rollout.task != task:
        raise RolloutError(f"{path}: is of task {rollout.task}, expected {task}. Promote a release of {task} again.")
    return rollout


def promote(
    home: Home, task: str, version: str, *, by: str, reason: str, now: float, expected: str | None = None
) -> Rollout:
    """Make a release the stable one. The release is verified first; promoting the stable one changes nothing.

    From then on everybody gets it: a canary ends, be it the promoted release or another. A shadow, which answers
    nobody, goes on beside the new stable release, unless it is the promoted one.
    With `expected`, raises RolloutError unless that release is the stable one until then: compare and swap.
    """
    verify_release(home, task, version)
    with locked(home.releases(task) / ".rollout.lock"):
        current = _read_or_none(home, task)
        if current is not None and current.stable == version:
            return _signed_again(home, current)
        if expected is not None and (current is None or current.stable != expected):
            raise RolloutError(
                f"Task {task}: expected release {expected} to serve when {version} replaces it, found "
                f"{current.stable if current else 'none'}. Somebody changed the rollout meanwhile; decide anew."
            )
        return _moved(home, task, current, "promote", version, by=by, reason=reason, now=now)


def rollback(home: Home, task: str, *, by: str, reason: str, now: float) -> Rollout:
    """Make the release that served before the stable one serve again.

    Going back twice goes back two releases, not forth again. It is done when something is wrong, so it ends the canary
    and the shadow too. Raises RolloutError when there is none to go back to.
    """
    with locked(home.releases(task) / ".rollout.lock"):
        current = read_rollout(home, task)
        previous = predecessor(current) if current is not None else None
        if current is None or previous is None:
            raise RolloutError(
                f"Task {task}: no release served before the stable one, so there is none to roll back to. "
                f"Published: {', '.join(list_versions(home, task)) or 'none'}."
            )
        verify_release(home, task, previous)
        return _moved(home, task, current, "rollback", previous, by=by, reason=reason, now=now)


def try_canary(home: Home, task: str, version: str, share: float, *, by: str, reason: str, now: float) -> Rollout:
    """Let a release answer a share (above 0, at most 1) of the callers, in place of the canary before it, if any.

    The release is verified first; a shadow that becomes the canary is a shadow no longer. Raises RolloutError where
    the release is the stable one, or none serves.
    """
    return _try(home, task, "canary", version, share, by=by, reason=reason, now=now)


def try_shadow(home: Home, task: str, version: str, share: float = 1.0, *, by: str, reason: str, now: float) -> Rollout:
    """Let a release score a share (above 0, at most 1) of the traffic, answering nobody.

    The release is verified first; a canary that becomes the shadow is a canary no longer. Raises RolloutError where
    the release is the stable one, or none serves.
    """
    return _try(home, task, "shadow", version, share, by=by, reason=reason, now=now)


def end_trial(home: Home, task: str, *, by: str, reason: str, now: float) -> Rollout:
    """End the canary and the shadow: the stable release alone is left. Raises RolloutError where nothing is tried."""
    with locked(home.releases(task) / ".rollout.lock"):
        current = _read_serving(home, task)
        notes = _end_notes((current.canary, current.shadow), by=by, reason=reason, now=now)
        if not notes:
            raise RolloutError(f"Task {task}: neither a canary nor a shadow is tried, so there is nothing to end.")
        return _write(home, task, current, notes, {**_WITHOUT["canary"], **_WITHOUT["shadow"]})


def predecessor(rollout: Rollout) -> str | None:
    """The release that a rollback would bring back, or None."""
    return gone_back_to(rollout.history)


_WITHOUT: dict[Trial, dict[str, object]] = {
    "canary": {"canary": None, "canary_share": 0.0},
    "shadow": {"shadow": None, "shadow_share": 1.0},
}


def _read_or_none(home: Home, task: str) -> Rollout | None:
    """A malformed rollout is replaced by a promotion, which is the remedy that its error names."""
    try:
        return read_rollout(home, task)
    except RolloutError:
        return None


def _read_serving(home: Home, task: str) -> Rollout:
    current = read_rollout(home, task)
    if current is None:
        raise RolloutError(
            f"Task {task}: expected a release that serves, for another one to be tried beside it; found none. "
            f"Choose one with `perennial releases promote {task} VERSION`."
        )
    return current


def _signed_again(home: Home, current: Rollout) -> Rollout:
    """The same release stays stable; where it was published anew under its version, its present manifest counts."""
    found = sha256_file(home.release(current.task, current.stable) / MANIFEST_FILE)
    if current.stable_sha256 in (None, found):
        return current
    history = tuple(
        change.model_copy(update={"manifest_sha256": found}) if change.version == current.stable else change
        for change in current.history
    )
    signed = current.model_copy(update={"history": history, "generation": current.generation + 1})
    write_atomic(home.rollout(current.task), signed.model_dump_json(indent=2).encode())
    return signed


def _moved(
    home: Home,
    task: str,
    current: Rollout | None,
    action: Literal["promote", "rollback"],
    version: str,
    *,
    by: str,
    reason: str,
    now: float,
) -> Rollout:
    """Another release is the stable one from now on, and what was tried beside the old one ends as it must."""
    change = RolloutChange(
        time=now,
        action=action,
        version=version,
        replaced=current.stable if current else None,
        manifest_sha256=_signature(home, task, version),
        by=by,
        reason=reason,
    )
    update: dict[str, object] = {"stable": version, **_WITHOUT["canary"]}
    ended = [current.canary] if current else []
    if current is not None and (action == "rollback" or current.shadow == version):
        update |= _WITHOUT["shadow"]
        ended.append(current.shadow)
    # A trial whose release is the stable one now has not failed: the promotion itself is its note.
    others = [trial for trial in ended if trial != version]
    notes = _end_notes(others, by=by, reason=f"{action} of {version}: {reason}", now=now)
    return _write(home, task, current, (*notes, change), update)


def _try(
    home: Home, task: str, role: Trial, version: str, share: float, *, by: str, reason: str, now: float
) -> Rollout:
    if not 0 < share <= 1:
        raise RolloutError(f"Task {task}: expected a share above 0 and at most 1 for the {role}, found {share:g}.")
    manifest = verify_release(home, task, version)
    with locked(home.releases(task) / ".rollout.lock"):
        current = _read_serving(home, task)
        if version == current.stable:
            raise RolloutError(
                f"Task {task}: release {version} is the stable one; expected another one as {role}. "
                f"Published: {', '.join(list_versions(home, task))}."
            )
        _check_alike(home, current, manifest, role)
        update: dict[str, object] = {role: version, f"{role}_share": share}
        if role == "canary" and current.shadow == version:
            update |= _WITHOUT["shadow"]
        if role == "shadow" and current.canary == version:
            update |= _WITHOUT["canary"]
        signature = _signature(home, task, version)
        if current.model_copy(update=update) == current and current.sha256_of(version) == signature:
            return current
        note = RolloutChange(
            time=now,
            action=role,
            version=version,
            replaced=current.canary if role == "canary" else current.shadow,
            share=share,
            manifest_sha256=signature,
            by=by,
            reason=reason,
        )
        return _write(home, task, current, (note,), update)


def _check_alike(home: Home, current: Rollout, tried: Manifest, role: Trial) -> None:
    """Raises RolloutError for a trial of another kind: callers of one task would get answers of two forms.

    Of a stable release that cannot be read nothing is known, and the trial may be what is to replace it.
    """
    try:
        stable = read_manifest(home, current.task, current.stable)
    except PerennialError:
        return
    if _kind_of(stable) != _kind_of(tried):
        raise RolloutError(
            f"Task {current.task}: release {tried.version} is for {_kind_of(tried)}, the stable release "
            f"{stable.version} for {_kind_of(stable)}; expected one of the same kind as {role}. Promote it, or train "
            "it as a task of its own."
        )


def _kind_of(manifest: Manifest) -> str:
    return manifest.kind if manifest.thresholds is None else f"{manifest.kind} with several labels a text"


def _end_notes(ended: Iterable[str | None], *, by: str, reason: str, now: float) -> tuple[RolloutChange, ...]:
    return tuple(
        RolloutChange(time=now, action="end_trial", version=version, by=by, reason=reason)
        for version in ended
        if version is not None
    )


def _signature(home: Home, task: str, version: str) -> str:
    return sha256_file(home.release(task, version) / MANIFEST_FILE)


def _write(
    home: Home, task: str, current: Rollout | None, notes: Sequence[RolloutChange], update: dict[str, object]
) -> Rollout:
    kept: dict[str, object] = current.model_dump(exclude={"history"}) if current else {"task": task, "generation": 0}
    history = (*(current.history if current else ()), *notes)
    rollout = Rollout.model_validate(
        {**kept, **update, "generation": (current.generation if current else 0) + 1, "history": newest(history)}
    )
    write_atomic(home.rollout(task), rollout.model_dump_json(indent=2).encode())
    return rollout
