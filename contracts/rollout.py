"""`rollout.json`: which release of a task serves, and which, if any, is tried beside it."""

from __future__ import annotations

from typing import Literal, Self

from pydantic import Field, ValidationError, model_validator

from contracts.errors import RolloutError
from contracts.files import locked, sha256_file, write_atomic
from contracts.home import Home
from contracts.release import MANIFEST_FILE
from contracts.release_store import list_versions, verify_release
from contracts.schema import SHA256, TASK_NAME, VERSION, Contract
from contracts.task import describe_problems

_HISTORY = 100


class RolloutChange(Contract):
    """One change of the stable release."""

    time: float = Field(description="seconds since the epoch, UTC")
    action: Literal["promote", "rollback"]
    version: str = Field(pattern=VERSION)
    replaced: str | None = Field(None, pattern=VERSION)
    manifest_sha256: str | None = Field(None, pattern=SHA256, description="of the version's manifest.json at the time")
    by: str
    reason: str


class Rollout(Contract):
    """What the service follows. `generation` rises by one with every change."""

    schema_number: Literal[1] = 1
    task: str = Field(pattern=TASK_NAME)
    generation: int = Field(ge=1)
    stable: str = Field(pattern=VERSION)
    shadow: str | None = Field(None, pattern=VERSION)
    canary: str | None = Field(None, pattern=VERSION)
    canary_share: float = Field(0.0, ge=0, le=1)
    history: tuple[RolloutChange, ...] = ()

    @property
    def stable_sha256(self) -> str | None:
        """What the stable release's manifest.json must have; None where it was chosen by writing the file."""
        signed = (change.manifest_sha256 for change in reversed(self.history) if change.version == self.stable)
        return next(signed, None)

    @model_validator(mode="after")
    def _canary_with_share(self) -> Self:
        if (self.canary is None) != (self.canary_share == 0.0):
            raise ValueError("`canary` and a `canary_share` above 0 go together")
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
        return _write(home, task, current, "promote", version, by=by, reason=reason, now=now)


def rollback(home: Home, task: str, *, by: str, reason: str, now: float) -> Rollout:
    """Make the release that served before the stable one serve again.

    Going back twice goes back two releases, not forth again. Raises RolloutError when there is none to go back to.
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
        return _write(home, task, current, "rollback", previous, by=by, reason=reason, now=now)


def predecessor(rollout: Rollout) -> str | None:
    """The release that a rollback would bring back, or None.

    The history is cut at its old end, so the stack may lack its lower part; each change says what its top was.
    """
    stack: list[str] = []
    for change in rollout.history:
        if change.action == "promote":
            if stack[-1:] != [change.replaced]:
                stack = [] if change.replaced is None else [change.replaced]
            stack.append(change.version)
        else:
            stack = stack[:-1] if stack[-2:-1] == [change.version] else [change.version]
    return stack[-2] if len(stack) > 1 else None


def _read_or_none(home: Home, task: str) -> Rollout | None:
    """A malformed rollout is replaced by a promotion, which is the remedy that its error names."""
    try:
        return read_rollout(home, task)
    except RolloutError:
        return None


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


def _write(
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
    change = RolloutChange(
        time=now,
        action=action,
        version=version,
        replaced=current.stable if current else None,
        manifest_sha256=sha256_file(home.release(task, version) / MANIFEST_FILE),
        by=by,
        reason=reason,
    )
    history = (*(current.history if current else ()), change)[-_HISTORY:]
    rollout = Rollout(
        task=task,
        generation=(current.generation if current else 0) + 1,
        stable=version,
        history=history,
    )
    write_atomic(home.rollout(task), rollout.model_dump_json(indent=2).encode())
    return rollout
