"""A real release whose session runs can be held back, and the queue in front of it."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager

import pytest

from contracts.home import Home
from contracts.release import Manifest
from service.engine.backlog import Ticket
from service.engine.loading import load_release
from service.engine.model import BatchOutput, LoadedRelease
from service.engine.scheduler import Scheduler
from service.metrics import ServiceMetrics


@pytest.fixture
def release(home: Home, make_release: Callable[..., Manifest]) -> LoadedRelease:
    make_release(home)
    return load_release(home, "support", "0001", threads=1)


class Runs:
    """The session runs of a release, which wait for `go_on`; what each was given, in order."""

    def __init__(self, release: LoadedRelease) -> None:
        self.rows: list[Sequence[list[int]]] = []
        self.go_on = threading.Event()
        self._predict = release.predict

    def __call__(self, rows: Sequence[list[int]], *, all_cores: bool = False) -> BatchOutput:
        self.rows.append(rows)
        assert self.go_on.wait(30)
        return self._predict(rows, all_cores=all_cores)

    async def wait(self, count: int) -> None:
        end = time.monotonic() + 30
        while len(self.rows) < count:
            assert time.monotonic() < end
            await asyncio.sleep(0.005)

    def times(self, ids: list[int]) -> int:
        return sum(row == ids for rows in self.rows for row in rows)


@pytest.fixture
def held() -> Callable[..., AbstractContextManager[Runs]]:
    """No run of the given releases ends before it is told to; the real model of the first answers."""

    @contextmanager
    def hold(*releases: LoadedRelease) -> Iterator[Runs]:
        runs = Runs(releases[0])
        before = [(release.predict, release.is_short, release.is_brief) for release in releases]
        for release in releases:
            release.predict = runs
            release.is_short = release.is_brief = lambda _: False
        try:
            yield runs
        finally:
            runs.go_on.set()
            for release, found in zip(releases, before, strict=True):
                release.predict, release.is_short, release.is_brief = found

    return hold


@pytest.fixture
def scheduler() -> Callable[..., Scheduler]:
    def make(queue_tokens: int = 10_000, batch_tokens: int = 64) -> Scheduler:
        return Scheduler(batch_tokens=batch_tokens, queue_tokens=queue_tokens, metrics=ServiceMetrics())

    return make


@pytest.fixture
def labels() -> Callable[..., list[str]]:
    """Of a ticket's answers."""

    def found(release: LoadedRelease, ticket: Ticket) -> list[str]:
        return [release.labels[int(place.output.indices[place.row])] for place in ticket.answers()]

    return found
