"""The queue and the lanes: a shadow's work goes behind that of callers."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from typing import Any

import pytest

from contracts.home import Home
from contracts.release import Manifest
from service.engine.backlog import Placed
from service.engine.encoding import EncodedText
from service.engine.loading import load_release
from service.engine.model import BatchOutput, LoadedRelease
from service.engine.run_cost import RunCost
from service.engine.scheduler import Scheduler
from service.engine.shadow_work import ShadowWork, score


def test_a_shadow_takes_no_place_of_callers_and_lets_them_go_first(
    held: Callable[..., AbstractContextManager[Any]],
    labels: Callable[..., list[str]],
    scheduler: Callable[..., Scheduler],
    release: LoadedRelease,
) -> None:
    (caller,) = release.encode(["courier today"])
    scored: list[int] = []

    async def run(runs: Any) -> None:
        running = scheduler(queue_tokens=len(caller.ids))
        # The lanes start with the first request.
        runs.go_on.set()
        await running.predict(release, [caller])
        runs.go_on.clear()
        work = ShadowWork(release, ["invoice please"] * 24, lambda _, placed, __: scored.append(len(placed)))
        assert running.offer(work)
        await runs.wait(2)
        admitted = asyncio.create_task(running.predict(release, [caller]))
        await asyncio.sleep(0)
        runs.go_on.set()
        assert labels(release, await admitted) == ["delivery"]
        assert runs.rows[2] == [caller.ids], "between two runs of the shadow"
        await runs.wait(5)
        while not scored:
            await asyncio.sleep(0.005)
        await running.stop()

    with held(release) as runs:
        asyncio.run(run(runs))
    assert scored == [24]


@pytest.fixture
def long_release(home: Home, make_release: Callable[..., Manifest]) -> LoadedRelease:
    """Takes texts of 256 tokens; what its runs cost is fixed."""
    make_release(home, max_tokens=256)
    release = load_release(home, "support", "0001", threads=1)
    release.cost = RunCost(0.0001, 4.0)
    return release


def test_a_shadows_runs_keep_the_bound_of_callers_who_wait_for_one_of_them_at_most(
    held: Callable[..., AbstractContextManager[Any]],
    labels: Callable[..., list[str]],
    scheduler: Callable[..., Scheduler],
    long_release: LoadedRelease,
) -> None:
    release = long_release
    (caller,) = release.encode(["courier today"])
    texts = ["invoice " * 254, *["courier", "hello"] * 7, "hello " * 254]
    wanted = ["billing", *["delivery", "other"] * 7, "other"]
    assert {len(one.ids) for one in release.encode(texts)} == {256, 3}
    scored: list[str] = []

    def done(encoded: list[EncodedText], placed: list[Placed], _: float) -> None:
        assert [one.text for one in encoded] == texts
        scored.extend(release.label(place.output, place.row) for place in placed)

    async def run(runs: Any) -> None:
        running = scheduler(batch_tokens=64)
        runs.go_on.set()
        await running.predict(release, [caller])
        runs.go_on.clear()
        assert running.offer(ShadowWork(release, texts, done))
        await runs.wait(2)
        admitted = asyncio.create_task(running.predict(release, [caller]))
        await asyncio.sleep(0)
        runs.go_on.set()
        assert labels(release, await admitted) == ["delivery"]
        assert runs.rows[2] == [caller.ids], "after the run that was begun"
        while not scored:
            await asyncio.sleep(0.005)
        await running.stop()

    with held(release) as runs:
        asyncio.run(run(runs))
    assert scored == wanted
    shadows = [[len(row) for row in rows] for rows in (runs.rows[1], *runs.rows[3:])]
    assert shadows == [[256], [3] * 7, [3] * 7, [256]], "the long ones alone, the others with their like"


def test_the_seconds_of_a_shadow_are_without_those_that_callers_took(long_release: LoadedRelease) -> None:
    texts = ["invoice " * 254, "courier", "hello " * 254]
    taken: list[float] = []
    spent: list[float] = []

    def callers() -> bool:
        began = time.monotonic()
        time.sleep(0.02)
        taken.append(time.monotonic() - began)
        return True

    started = time.monotonic()
    score(ShadowWork(long_release, texts, lambda _, __, seconds: spent.append(seconds)), 64, callers)
    assert len(taken) > len(texts), "asked before each of three runs"
    assert 0 < spent[0] <= time.monotonic() - started - sum(taken)


def test_more_shadow_work_than_may_wait_is_declined_at_once(
    held: Callable[..., AbstractContextManager[Any]], scheduler: Callable[..., Scheduler], release: LoadedRelease
) -> None:
    async def run(runs: Any) -> None:
        running = scheduler()
        begun = asyncio.create_task(running.predict(release, release.encode(["invoice please"])))
        await runs.wait(1)
        work = ShadowWork(release, ["invoice please"] * 512, lambda *_: None)
        assert [running.offer(work) for _ in range(4)] == [True, True, False, False]
        runs.go_on.set()
        await begun
        await running.stop()
        assert not running.offer(work), "nor any once it stops"

    with held(release) as runs:
        asyncio.run(run(runs))


def test_a_shadow_offered_while_the_loop_runs_a_text_is_not_forgotten(
    scheduler: Callable[..., Scheduler], release: LoadedRelease
) -> None:
    (short,) = release.encode(["invoice please"])
    scored = threading.Event()
    predict = release.predict
    work = ShadowWork(release, ["courier today"], lambda *_: scored.set())

    async def run() -> None:
        running = scheduler()

        def offering(rows: Sequence[list[int]], *, all_cores: bool = False) -> BatchOutput:
            if threading.current_thread() is threading.main_thread():
                assert running.offer(work)
                time.sleep(0.05)  # for the lane to find nothing that it may do
            return predict(rows, all_cores=all_cores)

        release.predict = offering
        release.is_short = lambda _: True
        await running.predict(release, [short])
        assert await asyncio.to_thread(scored.wait, 20)
        await running.stop()

    asyncio.run(run())


def test_a_stop_does_not_wait_for_the_rest_of_a_shadows_work(
    held: Callable[..., AbstractContextManager[Any]], scheduler: Callable[..., Scheduler], release: LoadedRelease
) -> None:
    (caller,) = release.encode(["courier today"])

    async def run(runs: Any) -> None:
        running = scheduler()
        runs.go_on.set()
        await running.predict(release, [caller])
        runs.go_on.clear()
        assert running.offer(ShadowWork(release, ["invoice please"] * 800, lambda *_: None))
        await runs.wait(2)
        stopping = asyncio.create_task(running.stop())
        await asyncio.sleep(0)
        runs.go_on.set()
        await stopping
        assert len(runs.rows) == 2, "the run that was begun, and no other"

    with held(release) as runs:
        asyncio.run(run(runs))
