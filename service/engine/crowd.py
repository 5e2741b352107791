"""Whether callers come while the event loop runs a text: they have to wait for it, so that lanes had better run all."""

from __future__ import annotations

import asyncio

# Turns of uvloop in which what was read while it ran a text comes to the scheduler, and nothing that came later.
_TURNS = 2
# For how long it is crowded once that has happened.
_SECONDS = 0.25


class Crowd:
    """Of one event loop. Times are monotonic, s."""

    def __init__(self) -> None:
        self._turns = 0  # of the loop, until whoever comes cannot have come while it ran a text
        self._until = 0.0

    def ran(self) -> None:
        """The loop has run a text just now."""
        if not self._turns:
            asyncio.get_running_loop().call_soon(self._turn)
        self._turns = _TURNS

    def came(self, now: float) -> None:
        """Somebody did."""
        if self._turns:
            self._until = now + _SECONDS

    def has_gone(self, now: float) -> bool:
        """Whether the loop may run a text."""
        return now >= self._until

    def _turn(self) -> None:
        self._turns -= 1
        if self._turns > 0:
            asyncio.get_running_loop().call_soon(self._turn)
