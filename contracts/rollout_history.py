"""What `rollout.json` keeps of its past: enough to go back, and to say who changed what and why. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

from pydantic import Field

from contracts.schema import SHA256, VERSION, Contract

_KEPT = 100


class RolloutChange(Contract):
    """One change of the stable release (`promote`, `rollback`) or of what is tried beside it."""

    time: float = Field(description="seconds since the epoch, UTC")
    action: Literal["promote", "rollback", "canary", "shadow", "end_trial"]
    version: str = Field(pattern=VERSION)
    replaced: str | None = Field(None, pattern=VERSION, description="what was in that place until then")
    share: float | None = Field(None, ge=0, le=1, description="of the traffic, where a trial was begun")
    manifest_sha256: str | None = Field(None, pattern=SHA256, description="of the version's manifest.json at the time")
    by: str
    reason: str

    @property
    def of_stable(self) -> bool:
        """Whether the stable release changed, and not only what is tried beside it."""
        return self.action in ("promote", "rollback")


def newest(history: Sequence[RolloutChange]) -> tuple[RolloutChange, ...]:
    """The newest 100 of either kind: however often a share is changed, a rollback knows where to go back to."""
    left = {True: _KEPT, False: _KEPT}
    kept = []
    for change in reversed(history):
        left[change.of_stable] -= 1
        if left[change.of_stable] >= 0:
            kept.append(change)
    return tuple(reversed(kept))


def gone_back_to(history: Sequence[RolloutChange]) -> str | None:
    """The release that a rollback would bring back, or None."""
    stack = _stack(history)
    return stack[-2] if len(stack) > 1 else None


def standbys(history: Sequence[RolloutChange], stable: str) -> tuple[str, ...]:
    """What may answer where the stable release cannot be loaded, best first.

    First what rollbacks would bring back, one after the other; then whatever else was stable once, the newest first:
    it was rolled back, and so comes last.
    """
    others = (
        version
        for change in reversed(history)
        if change.of_stable
        for version in (change.version, change.replaced)
        if version is not None
    )
    return tuple(version for version in dict.fromkeys((*reversed(_stack(history)), *others)) if version != stable)


def _stack(history: Sequence[RolloutChange]) -> list[str]:
    """What is stable, on top of what rollbacks would bring back.

    The history is cut at its old end, so the stack may lack its lower part; each change says what its top was.
    """
    stack: list[str] = []
    for change in history:
        if not change.of_stable:
            continue
        if change.action == "promote":
            if stack[-1:] != [change.replaced]:
                stack = [] if change.replaced is None else [change.replaced]
            stack.append(change.version)
        else:
            stack = stack[:-1] if stack[-2:-1] == [change.version] else [change.version]
    return stack
