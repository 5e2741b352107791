"""Of a single worker, which no parent watches: a thread ends the process once its event loop turns no more.

Whoever started it (a container's runtime, systemd, `perennial up`) starts it again; without this, it would hold its
port and answer nobody for ever. What holds the interpreter itself stops this thread as well: that is for a probe.
"""

from __future__ import annotations

import asyncio
import faulthandler
import logging
import os
import sys
import threading
import time

from service.heartbeat import Silence, beat_seconds

logger = logging.getLogger(__name__)

EXIT_CODE = 70  # EX_SOFTWARE of sysexits.h
_LAST_WORDS_SECONDS = 5.0


class Watchdog:
    """Watches from `__enter__` to `__exit__`; `bound` is in seconds, 0 for never ending anything."""

    def __init__(self, bound: float) -> None:
        self._bound = bound
        self._pause = beat_seconds(bound)
        self._beaten = False
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._watch, name="watchdog", daemon=True)

    def __enter__(self) -> None:
        if self._bound:
            self._thread.start()

    def __exit__(self, *_: object) -> None:
        self._over.set()

    async def beat(self) -> None:
        """For as long as the event loop turns. Once that ends in good order, nothing more is watched."""
        try:
            while True:
                self._beaten = True
                await asyncio.sleep(self._pause)
        finally:
            self._over.set()

    def _watch(self) -> None:
        silence = Silence()
        looked = time.monotonic()
        while not self._over.wait(self._pause):
            now = time.monotonic()
            silence.passed(now - looked, self._bound)
            looked = now
            if self._beaten:
                self._beaten = False
                silence.heard()
            if silence.too_long(self._bound):
                _end(silence.seconds)


def _end(seconds: float) -> None:
    """At once, without anything that would wait for the loop. What hangs may be the log: it has a few seconds."""
    last = threading.Timer(_LAST_WORDS_SECONDS, os._exit, (EXIT_CODE,))
    last.daemon = True
    last.start()
    try:
        logger.critical(
            "The event loop gave no sign of life for %.0f s: it hangs, and this process ends, to be started again. "
            "Where its threads are:",
            seconds,
        )
        faulthandler.dump_traceback(sys.stderr)
    finally:
        os._exit(EXIT_CODE)
