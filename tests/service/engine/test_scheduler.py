"""The queue and the lanes: answers in order, bounds, failures and fair turns."""

from __future__ import annotations

import asyncio
import socket
import threading
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from typing import Any

import pytest
import uvloop

from contracts.home import Home
from contracts.release import Manifest
from service.engine.backlog import Ticket
from service.engine.loading import load_release
from service.engine.model import BatchOutput, LoadedRelease
from service.engine.scheduler import Scheduler
from service.errors import ModelOutputError, QueueFullError, StoppingError
from service.metrics import ServiceMetrics


def test_a_request_larger_than_a_batch_comes_back_whole_and_in_order(
    labels: Callable[..., list[str]], scheduler: Callable[..., Scheduler], release: LoadedRelease
) -> None:
    words = {"invoice": "billing", "courier": "delivery", "hello": "other"}
    texts = [f"{word} {'please ' * (number % 20)}" for number, word in enumerate(list(words) * 40)]

    async def run() -> list[str]:
        running = scheduler()
        found = labels(release, await running.predict(release, release.encode(texts)))
        await running.stop()
        return found

    assert asyncio.run(run()) == [words[text.split()[0]] for text in texts]


def test_past_the_bound_requests_are_refused_at_once_and_told_when_to_come_back(
    labels: Callable[..., list[str]], scheduler: Callable[..., Scheduler], release: LoadedRelease
) -> None:
    encoded = release.encode(["invoice please"])  # four tokens

    async def run() -> list[object]:
        running = scheduler(queue_tokens=12)
        found = await asyncio.gather(*(running.predict(release, encoded) for _ in range(10)), return_exceptions=True)
        # What was answered has left the queue: there is room again.
        assert labels(release, await running.predict(release, encoded)) == ["billing"]
        await running.stop()
        return list(found)

    found = asyncio.run(run())
    refused = [one for one in found if isinstance(one, QueueFullError)]
    assert len(refused) == 7
    assert all(one.retry_after >= 1 for one in refused)
    assert all(not isinstance(one, BaseException) for one in found[:3])


def test_a_request_above_the_whole_bound_is_served_when_nothing_waits(
    scheduler: Callable[..., Scheduler], release: LoadedRelease
) -> None:
    async def run() -> int:
        running = scheduler(queue_tokens=1)
        found = await running.predict(release, release.encode(["invoice please"] * 30))
        await running.stop()
        return len(found.answers())

    assert asyncio.run(run()) == 30


def test_once_stopped_nothing_hangs(
    labels: Callable[..., list[str]], scheduler: Callable[..., Scheduler], release: LoadedRelease
) -> None:
    encoded = release.encode(["invoice please"])

    async def run() -> None:
        running = scheduler()
        waiting = asyncio.create_task(running.predict(release, encoded))
        await asyncio.sleep(0)
        await running.stop()
        (outcome,) = await asyncio.gather(waiting, return_exceptions=True)
        assert isinstance(outcome, StoppingError) or labels(release, outcome) == ["billing"]
        with pytest.raises(StoppingError):
            await running.predict(release, encoded)

    asyncio.run(run())


def test_a_model_that_fails_answers_its_callers_and_the_next(
    labels: Callable[..., list[str]], scheduler: Callable[..., Scheduler], release: LoadedRelease
) -> None:
    (good,) = release.encode(["invoice please"])
    bad = type(good)(good.text, [10**9], 1, 0.0, 1.0)  # outside the vocabulary: the session run fails

    async def run() -> None:
        running = scheduler()
        with pytest.raises(ModelOutputError, match="rollback support"):
            await running.predict(release, [bad])
        assert labels(release, await running.predict(release, [good])) == ["billing"]
        await running.stop()

    asyncio.run(run())


def test_one_bad_text_does_not_spoil_its_neighbours(
    held: Callable[..., AbstractContextManager[Any]], labels: Callable[..., list[str]], release: LoadedRelease
) -> None:
    first, good = release.encode(["invoice please", "courier today"])
    bad = type(good)(good.text, [10**9] * len(good.ids), 1, 0.0, 1.0)

    async def run(runs: Any) -> list[object]:
        metrics = ServiceMetrics()
        running = Scheduler(batch_tokens=64, queue_tokens=1000, metrics=metrics)
        begun = asyncio.create_task(running.predict(release, [first]))
        await runs.wait(1)
        others = [asyncio.create_task(running.predict(release, [one])) for one in (good, bad, good)]
        await asyncio.sleep(0)
        runs.go_on.set()
        await begun
        found = await asyncio.gather(*others, return_exceptions=True)
        await running.stop()
        assert [len(rows) for rows in runs.rows[:2]] == [1, 3], "the three shared a run"
        assert b'perennial_model_failures_total{release="0001",task="support"} 1.0' in metrics.render()
        return list(found)

    with held(release) as runs:
        before, spoilt, after = asyncio.run(run(runs))
        assert isinstance(spoilt, ModelOutputError)
        assert labels(release, before) == labels(release, after) == ["delivery"]


def test_a_flooded_task_refuses_its_own_callers_and_keeps_no_other_waiting(
    held: Callable[..., AbstractContextManager[Any]],
    labels: Callable[..., list[str]],
    scheduler: Callable[..., Scheduler],
    home: Home,
    make_release: Callable[..., Manifest],
    release: LoadedRelease,
) -> None:
    make_release(home, "orders")
    other = load_release(home, "orders", "0001", threads=1)
    (flood,) = release.encode(["invoice please"])
    (single,) = other.encode(["courier today"])

    async def run(runs: Any) -> None:
        running = scheduler(queue_tokens=40, batch_tokens=4)
        flooding = [asyncio.create_task(running.predict(release, [flood]))]
        await runs.wait(1)
        flooding += [asyncio.create_task(running.predict(release, [flood])) for _ in range(10)]
        await asyncio.sleep(0)
        with pytest.raises(QueueFullError, match="Task support"):
            await running.predict(release, [flood])
        admitted = asyncio.create_task(running.predict(other, [single]))
        await asyncio.sleep(0)
        runs.go_on.set()
        assert labels(other, await admitted) == ["delivery"]
        await asyncio.gather(*flooding)
        await running.stop()
        assert [rows[0] for rows in runs.rows].index(single.ids) <= 2, "its turn is the next but one at the latest"

    with held(release, other) as runs:
        asyncio.run(run(runs))


def test_a_short_text_alone_is_run_where_it_is_and_all_else_by_lanes(
    scheduler: Callable[..., Scheduler], release: LoadedRelease
) -> None:
    short, middling, long = release.encode(["invoice please", "invoice " * 15, "invoice " * 30])
    threads: list[str] = []
    predict = release.predict

    def noted(rows: Sequence[list[int]], *, all_cores: bool = False) -> BatchOutput:
        threads.append(f"{threading.current_thread().name.partition('-')[0]} {all_cores}")
        return predict(rows, all_cores=all_cores)

    release.predict = noted
    release.is_short = lambda tokens: tokens <= len(short.ids)
    release.is_brief = lambda _: False
    release.is_wide = lambda tokens: tokens > len(middling.ids)

    async def run() -> None:
        running = scheduler()
        await running.predict(release, [short])
        await running.predict(release, [middling])
        await running.predict(release, [long])
        await asyncio.gather(running.predict(release, [short]), running.predict(release, [short]))
        await running.stop()

    asyncio.run(run())
    assert threads == ["MainThread False", "lane False", "lane True", "lane False"]


def test_all_texts_of_a_network_that_is_hardly_anything_are_run_where_they_are(
    scheduler: Callable[..., Scheduler], labels: Callable[..., list[str]], release: LoadedRelease
) -> None:
    encoded = release.encode(["invoice please", "courier today"] * 20)
    threads: set[str] = set()
    predict = release.predict

    def noted(rows: Sequence[list[int]], *, all_cores: bool = False) -> BatchOutput:
        threads.add(threading.current_thread().name)
        return predict(rows, all_cores=all_cores)

    release.predict = noted
    release.is_brief = lambda tokens: tokens <= 64

    async def run() -> list[Ticket]:
        running = scheduler()
        found = await asyncio.gather(*(running.predict(release, [one]) for one in encoded))
        await running.stop()
        return list(found)

    assert [labels(release, ticket) for ticket in asyncio.run(run())] == [["billing"], ["delivery"]] * 20
    assert threads == {"MainThread"}


@pytest.mark.parametrize("brief", [True, False])
def test_a_failure_that_nobody_foresaw_leaves_the_loop_free_for_others(
    scheduler: Callable[..., Scheduler], release: LoadedRelease, monkeypatch: pytest.MonkeyPatch, brief: bool
) -> None:
    (short,) = release.encode(["invoice please"])
    threads: list[str] = []
    predict = release.predict

    def noted(rows: Sequence[list[int]], *, all_cores: bool = False) -> BatchOutput:
        threads.append(threading.current_thread().name)
        return predict(rows, all_cores=all_cores)

    def fails(*_: object) -> None:
        raise LookupError("no such metric")

    release.predict = noted
    release.is_short = lambda _: True
    release.is_brief = lambda _: brief

    async def run() -> None:
        asyncio.get_running_loop().set_exception_handler(lambda *_: None)
        running = scheduler()
        with monkeypatch.context() as patched:
            patched.setattr(running._metrics, "ran", fails)
            with pytest.raises(TimeoutError):
                await asyncio.wait_for(running.predict(release, [short]), 0.1)
        await running.predict(release, [short])
        await running.stop()

    asyncio.run(run())
    assert threads == ["MainThread", "MainThread"]


def test_who_comes_while_a_text_is_run_where_it_is_gets_a_lane_and_so_do_those_after_it(
    scheduler: Callable[..., Scheduler], release: LoadedRelease
) -> None:
    (short,) = release.encode(["invoice please"])
    threads: list[str] = []
    predict = release.predict
    read_end, write_end = socket.socketpair()

    def noted(rows: Sequence[list[int]], *, all_cores: bool = False) -> BatchOutput:
        threads.append(threading.current_thread().name.partition("-")[0])
        if len(threads) == 1:
            write_end.send(b"another request")
        return predict(rows, all_cores=all_cores)

    release.predict = noted
    release.is_short = lambda _: True
    release.is_brief = lambda _: False

    async def run() -> None:
        running = scheduler()
        loop = asyncio.get_running_loop()
        asked: asyncio.Future[asyncio.Task[Ticket]] = loop.create_future()

        def ask() -> None:
            loop.remove_reader(read_end)
            asked.set_result(loop.create_task(running.predict(release, [short])))

        loop.add_reader(read_end, ask)
        await running.predict(release, [short])
        await (await asked)
        await running.predict(release, [short])
        await asyncio.sleep(0.3)
        await running.predict(release, [short])
        await running.stop()

    with read_end, write_end:
        uvloop.run(run())
        assert threads == ["MainThread", "lane", "lane", "MainThread"]
