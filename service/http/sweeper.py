"""One timer for all connections of a server, which runs only while there are some."""

from __future__ import annotations

import asyncio
from typing import Protocol


class Swept(Protocol):
    """What is looked at now and then."""

    @property
    def is_open(self) -> bool:
        """False: it needs no more looking at."""

    def check(self, now: float) -> None:
        """`now` is the event loop's time, s."""


class Sweeper:
    """Looks at each of them every so many seconds."""

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._all: set[Swept] = set()

    def add(self, one: Swept, loop: asyncio.AbstractEventLoop) -> None:
        """From now on."""
        if not self._all:
            loop.call_later(self._seconds, self._sweep, loop)
        self._all.add(one)

    def _sweep(self, loop: asyncio.AbstractEventLoop) -> None:
        now = loop.time()
        self._all = {one for one in self._all if one.is_open}
        for one in self._all:
            one.check(now)
        if self._all:
            loop.call_later(self._seconds, self._sweep, loop)
