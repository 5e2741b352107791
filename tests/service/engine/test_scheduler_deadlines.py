"""The queue and the lanes: callers whose time is over, and callers that left."""

from __future__ import annotations

import asyncio
import re
import time
from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Any

import pytest

from service.engine.model import LoadedRelease
from service.engine.scheduler import Scheduler
from service.errors import DeadlineError, HungUpError, QueueFullError, WaitTooLongError
from service.http.problems import problem_of


def test_a_caller_that_leaves_frees_its_place(
    labels: Callable[..., list[str]], scheduler: Callable[..., Scheduler], release: LoadedRelease
) -> None:
    encoded = release.encode(["invoice please"])

    async def run() -> None:
        running = scheduler(queue_tokens=8)
        gone = [asyncio.create_task(running.predict(release, encoded)) for _ in range(2)]
        await asyncio.sleep(0)
        for task in gone:
            task.cancel()
        await asyncio.gather(*gone, return_exceptions=True)
        assert labels(release, await running.predict(release, encoded)) == ["billing"]
        await running.stop()

    asyncio.run(run())


def test_what_waits_beyond_its_deadline_is_told_so_and_never_run(
    held: Callable[..., AbstractContextManager[Any]],
    labels: Callable[..., list[str]],
    scheduler: Callable[..., Scheduler],
    release: LoadedRelease,
) -> None:
    first, late = release.encode(["invoice please", "courier today"])

    async def run(runs: Any) -> None:
        running = scheduler()
        begun = asyncio.create_task(running.predict(release, [first]))
        await runs.wait(1)
        with pytest.raises(DeadlineError, match="X-Request-Timeout-Ms"):
            await running.predict(release, [late, late], deadline=time.monotonic() + 0.02)
        runs.go_on.set()
        assert labels(release, await begun) == ["billing"]
        assert labels(release, await running.predict(release, [first])) == ["billing"]
        await running.stop()
        assert runs.times(late.ids) == 0

    with held(release) as runs:
        asyncio.run(run(runs))


def test_an_answer_that_comes_too_late_is_told_so(
    held: Callable[..., AbstractContextManager[Any]], scheduler: Callable[..., Scheduler], release: LoadedRelease
) -> None:
    (text,) = release.encode(["invoice please"])

    async def run(runs: Any) -> None:
        running = scheduler()
        begun = asyncio.create_task(running.predict(release, [text], deadline=time.monotonic() + 0.2))
        await runs.wait(1)
        await asyncio.sleep(0.3)
        runs.go_on.set()
        with pytest.raises(DeadlineError):
            await begun
        await running.stop()

    with held(release) as runs:
        asyncio.run(run(runs))


def test_a_lane_does_not_run_what_is_late_already(
    held: Callable[..., AbstractContextManager[Any]],
    labels: Callable[..., list[str]],
    scheduler: Callable[..., Scheduler],
    release: LoadedRelease,
) -> None:
    late, good = release.encode(["invoice please", "courier today"])

    async def run(runs: Any) -> None:
        runs.go_on.set()
        running = scheduler()
        found = await asyncio.gather(
            running.predict(release, [late], deadline=time.monotonic() - 1),
            running.predict(release, [good]),
            return_exceptions=True,
        )
        assert isinstance(found[0], DeadlineError)
        assert labels(release, found[1]) == ["delivery"]
        await running.stop()
        assert (runs.times(late.ids), runs.times(good.ids)) == (0, 1)

    with held(release) as runs:
        asyncio.run(run(runs))


def test_what_cannot_be_in_time_is_refused_before_it_waits(
    held: Callable[..., AbstractContextManager[Any]], scheduler: Callable[..., Scheduler], release: LoadedRelease
) -> None:
    encoded = release.encode(["invoice please"])

    async def run(runs: Any) -> None:
        running = scheduler()
        begun = asyncio.create_task(running.predict(release, encoded))
        await runs.wait(1)
        # 6000 tokens, at the 10,000 a second that are taken for granted.
        waiting = asyncio.create_task(running.predict(release, encoded * 1500))
        await asyncio.sleep(0)
        with pytest.raises(WaitTooLongError) as caught:
            await running.predict(release, encoded, deadline=time.monotonic() + 0.25)
        problem = problem_of(caught.value, "/")
        assert (problem.status, dict(problem.headers)) == (503, {b"retry-after": b"1"})
        told = re.search(r"Task support: about 0.600 s of work wait, more than the 0.(\d+) s", str(caught.value))
        assert told is not None, caught.value
        assert 200 < int(told[1]) <= 250
        with pytest.raises(WaitTooLongError, match=r"0\.000 s that this request allows"):
            await running.predict(release, encoded, deadline=time.monotonic() - 1)
        running.check_room("support")
        in_time = asyncio.create_task(running.predict(release, encoded, deadline=time.monotonic() + 60))
        await asyncio.sleep(0)
        runs.go_on.set()
        await asyncio.gather(begun, waiting, in_time)
        await running.stop()

    with held(release) as runs:
        asyncio.run(run(runs))


def test_callers_that_hung_up_are_noticed_and_leave_their_places_to_others(
    held: Callable[..., AbstractContextManager[Any]],
    labels: Callable[..., list[str]],
    scheduler: Callable[..., Scheduler],
    release: LoadedRelease,
) -> None:
    first, gone, later = release.encode(["invoice please", "courier today", "hello please"])

    async def hung_up() -> None:
        """At once."""

    async def run(runs: Any) -> None:
        running = scheduler(queue_tokens=8)
        begun = asyncio.create_task(running.predict(release, [first]))
        await runs.wait(1)
        away = [asyncio.create_task(running.predict(release, [gone], hung_up=hung_up)) for _ in range(2)]
        await asyncio.sleep(0)
        with pytest.raises(QueueFullError, match="Task support: 8 tokens may wait, and there is no room"):
            await running.predict(release, [later])
        with pytest.raises(QueueFullError):
            running.check_room("support")
        found = await asyncio.gather(*away, return_exceptions=True)
        assert [type(one) for one in found] == [HungUpError, HungUpError]
        admitted = asyncio.create_task(running.predict(release, [later]))
        await asyncio.sleep(0)
        runs.go_on.set()
        assert labels(release, await admitted) == ["other"]
        await begun
        await running.stop()
        assert runs.times(gone.ids) == 0

    with held(release) as runs:
        asyncio.run(run(runs))
