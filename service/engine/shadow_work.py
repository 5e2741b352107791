"""What a shadow scores when no caller waits, within a bound: nobody waits for it, and nobody shall suffer from it."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from service.engine.backlog import Placed, settle_all
from service.engine.batching import form_run
from service.engine.encoding import EncodedText
from service.engine.model import LoadedRelease

_MOST_TEXTS = 1024
# Texts that are made ready together: those of about one length share a run.
_AT_A_TIME = 8


@dataclass(frozen=True, slots=True)
class ShadowWork:
    """Texts for a shadow; `done` is called in a lane's thread."""

    release: LoadedRelease
    texts: Sequence[str]
    done: Callable[[list[EncodedText], list[Placed], float], None]  # the last: seconds, without those of callers' runs


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


@dataclass(slots=True)
class _Turns:
    """Callers' turns between a shadow's runs."""

    go_on: Callable[[], bool]
    seconds: float = 0.0  # that they took

    def pass_by(self) -> bool:
        """Callers that came meanwhile go first. Whether the shadow goes on."""
        asked = time.monotonic()
        goes_on = self.go_on()
        self.seconds += time.monotonic() - asked
        return goes_on


def score(work: ShadowWork, batch_tokens: int, go_on: Callable[[], bool]) -> None:
    """Run all texts, in runs such as callers' texts have, while `go_on`, which is asked before each run.

    With its padding, a run of several texts keeps within `batch_tokens`. Raises ModelOutputError.
    """
    begun, turns = time.monotonic(), _Turns(go_on)
    encoded: list[EncodedText] = []
    placed: list[Placed] = []
    for first in range(0, len(work.texts), _AT_A_TIME):
        if not turns.pass_by():
            return
        some = work.release.encode(work.texts[first : first + _AT_A_TIME])
        found = _run(work.release, [row for one in some for row in one.rows], batch_tokens, turns)
        if found is None:
            return
        encoded += some
        placed += settle_all(work.release, some, found)
    work.done(encoded, placed, time.monotonic() - begun - turns.seconds)


def _run(release: LoadedRelease, rows: Sequence[list[int]], batch_tokens: int, turns: _Turns) -> list[Placed] | None:
    """Where each row's answer lies; None when the shadow is not to go on."""
    found: dict[int, Placed] = {}
    left = list(range(len(rows)))
    while left:
        if not turns.pass_by():
            return None
        # A question has any number of rows.
        lengths = [len(rows[place]) for place in left[:_AT_A_TIME]]
        run = [left[position] for position in form_run(lengths, batch_tokens, 1, release.cost)]
        output = release.predict([rows[place] for place in run])
        found.update({place: Placed(output, row) for row, place in enumerate(run)})
        left = [place for place in left if place not in found]
    return [found[place] for place in range(len(rows))]
