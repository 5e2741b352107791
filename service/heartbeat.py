"""Between a worker and its parent: that the worker's event loop turns, and that the parent is still there."""

from __future__ import annotations

import asyncio
import socket
from dataclasses import dataclass

_BEAT = b"."
_MOST_SECONDS = 1.0
_BEATS = 5  # in the shortest time that counts as silence
# Imports and the loading of releases: minutes from a slow disk.
_START_SECONDS = 120.0


def beat_seconds(bound: float) -> float:
    """Between two beats, where silence above `bound` seconds is too much; 0 allows any."""
    return min(_MOST_SECONDS, bound / _BEATS) if bound else _MOST_SECONDS


async def beat(channel: socket.socket, seconds: float) -> None:
    """Send a beat every so many seconds, for as long as the event loop turns."""
    while True:
        try:
            channel.send(_BEAT, socket.MSG_DONTWAIT)
        except BlockingIOError:
            pass  # a parent that is stopped reads nothing, and has enough of them
        except OSError:
            return  # it is gone, which `wait_for_end` notices
        await asyncio.sleep(seconds)


def wait_for_end(channel: socket.socket) -> None:
    """Blocks until the other side is gone, however it ended."""
    try:
        while channel.recv(64):
            pass
    except ConnectionError:
        pass


@dataclass
class Silence:
    """How long nothing was heard of a worker, in seconds of its parent's own wakeful time."""

    seconds: float = 0.0
    begun: bool = False  # whether it ever beat

    def passed(self, seconds: float, bound: float) -> None:
        """Some time went by, in which it was listened to.

        A parent that was itself held up for longer (a machine that slept, a container that was frozen) has heard
        nothing meanwhile of anyone: no more than two beats' time counts at once.
        """
        self.seconds += min(seconds, 2 * beat_seconds(bound))

    def heard(self) -> None:
        """It beat."""
        self.seconds, self.begun = 0.0, True

    def too_long(self, bound: float) -> bool:
        """Whether it is to be given up; before its first beat it has two minutes, or the bound where that is more."""
        return bound > 0 and self.seconds > (bound if self.begun else max(bound, _START_SECONDS))


def listen(channel: socket.socket) -> bool | None:
    """Whether there were beats, of a channel that does not block; None when its other side is gone."""
    try:
        return True if channel.recv(4096) else None
    except BlockingIOError:
        return False
    except ConnectionError:
        return None
