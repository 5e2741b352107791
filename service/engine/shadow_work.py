"""What a shadow scores when no caller waits, within a bound: nobody waits for it, and nobody shall suffer from it."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from service.engine.backlog import Placed, settle_all
from service.engine.encoding import EncodedText
from service.engine.model import LoadedRelease

_MOST_TEXTS = 1024
# Texts of one run; callers that came meanwhile go before the next.
_AT_A_TIME = 8


@dataclass(frozen=True, slots=True)
class ShadowWork:
    """Texts for a shadow; `done` is called in a lane's thread."""

    release: LoadedRelease
    texts: Sequence[str]
    done: Callable[[list[EncodedText], list[Placed], float], None]  # the last: seconds


class ShadowQueue:
    """Work that waits, oldest first; what does not fit is declined. Callers hold a lock."""

    def __init__(self) -> None:
        self._waiting: deque[ShadowWork] = deque()
        self._texts = 0

    def __bool__(self) -> bool:
        return bool(self._waiting)

    def add(self, work: ShadowWork) -> bool:
        """Whether it was taken."""
        if self._texts + len(work.texts) > _MOST_TEXTS:
            return False
        self._waiting.append(work)
        self._texts += len(work.texts)
        return True

    def take(self) -> ShadowWork:
        """The oldest, removed."""
        work = self._waiting.popleft()
        self._texts -= len(work.texts)
        return work


def score(work: ShadowWork, go_on: Callable[[], bool]) -> None:
    """Run all texts, a few at a time, while `go_on`, which is asked before each run. Raises ModelOutputError."""
    seconds = 0.0
    encoded: list[EncodedText] = []
    placed: list[Placed] = []
    for first in range(0, len(work.texts), _AT_A_TIME):
        if not go_on():
            return
        started = time.monotonic()
        some = work.release.encode(work.texts[first : first + _AT_A_TIME])
        rows = [row for one in some for row in one.rows]
        output = work.release.predict(rows)
        encoded += some
        placed += settle_all(work.release, some, [Placed(output, row) for row in range(len(rows))])
        seconds += time.monotonic() - started
    work.done(encoded, placed, seconds)
