"""Whether a caller takes the answers it asked for: held to some progress, and to a time for all of it."""

from __future__ import annotations

import asyncio

# The whole of what was held back may take this many times as long as a caller may take nothing at all.
_MOST_IDLES = 10


class Taking:
    """Of one connection. Times are the event loop's, s; `left` are bytes that were written and not taken yet."""

    def __init__(self) -> None:
        self._writable: asyncio.Event | None = None  # while the other side does not take what it asked for
        self._begun = 0.0
        self._moved = 0.0  # when fewer bytes were last seen to be left
        self._left = 0

    @property
    def is_held(self) -> bool:
        """Whether something is held back."""
        return self._writable is not None

    def stopped(self, now: float, left: int) -> None:
        """More was written than it has taken: nothing further is, for the time being."""
        self._begun = self._moved = now
        self._left = left
        self._writable = asyncio.Event()

    def goes_on(self) -> None:
        """It takes more again, or is gone."""
        if self._writable is not None:
            self._writable.set()
            self._writable = None

    async def drain(self) -> None:
        """Returns when the other side takes more."""
        if self._writable is not None:
            await self._writable.wait()

    def too_slow(self, now: float, left: int, idle_seconds: float) -> bool:
        """Of what is held back: whether nothing was taken for `idle_seconds`, or not all for ten times that."""
        if left < self._left:
            self._moved = now
        self._left = left
        return now - self._moved > idle_seconds or now - self._begun > _MOST_IDLES * idle_seconds
