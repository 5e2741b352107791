"""Being told to stop by a signal, without a lock."""

from __future__ import annotations

import time

_SLICE_SECONDS = 0.1


class Stop:
    """What `threading.Event` offers of this, made for signal handlers.

    `Event.set` takes a lock. A handler runs in the main thread, and where that is interrupted just while it holds the
    lock (in `wait`), `set` would wait for ever.
    """

    def __init__(self) -> None:
        self._asked = False

    def set(self) -> None:
        """Ask for the end."""
        self._asked = True

    def is_set(self) -> bool:
        """Whether the end was asked for."""
        return self._asked

    def wait(self, seconds: float) -> bool:
        """Sleep, no longer than until a tenth of a second after the end was asked for; whether it was."""
        until = time.monotonic() + seconds
        while not self._asked and (left := until - time.monotonic()) > 0:
            time.sleep(min(_SLICE_SECONDS, left))
        return self._asked
