"""What threads have the event loop do: it is woken once for whatever they have told it until it looks."""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from functools import partial

logger = logging.getLogger(__name__)


class LoopInbox:
    """Of one event loop, once there is one."""

    def __init__(self) -> None:
        self._loop: asyncio.AbstractEventLoop | None = None
        self._told: deque[Callable[[], None]] = deque()
        self._telling = False

    def open(self, loop: asyncio.AbstractEventLoop) -> None:
        """From now on what is put here is done."""
        self._loop = loop

    def put(self, callback: Callable[..., None], *arguments: object) -> None:
        """From any thread: to be called on the loop, soon and in order."""
        self._told.append(partial(callback, *arguments))
        if self._loop is not None and not self._telling:
            self._telling = True
            # Where the loop was closed meanwhile, nobody is left to be answered.
            with suppress(RuntimeError):
                self._loop.call_soon_threadsafe(self._listen)

    def _listen(self) -> None:
        self._telling = False
        while self._told:
            callback = self._told.popleft()
            try:
                callback()
            except Exception:
                # What others were told must still reach them.
                logger.exception("An answer could not be handed over.")
