from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

import pytest

from contracts.home import Home
from contracts.release import Manifest
from service.engine.backlog import Ticket
from service.engine.model import BatchOutput, LoadedRelease, load_release
from service.engine.scheduler import Scheduler
from service.engine.shadow_work import ShadowWork
from service.errors import DeadlineError, HungUpError, ModelOutputError, QueueFullError, StoppingError
from service.metrics import ServiceMetrics


@pytest.fixture
def release(home: Home, make_release: Callable[..., Manifest]) -> LoadedRelease:
    make_release(home)
    return load_release(home, "support", "0001", threads=1)


def scheduler(queue_tokens: int = 10_000, batch_tokens: int = 64) -> Scheduler:
    return Scheduler(batch_tokens=batch_tokens, queue_tokens=queue_tokens, metrics=ServiceMetrics())


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


@contextmanager
def held(*releases: LoadedRelease) -> Iterator[Runs]:
    """No run of these releases ends before it is told to; the real model answers."""
    runs = Runs(releases[0])
    before = [(release.predict, release.is_short) for release in releases]
    for release in releases:
        release.predict = runs
        release.is_short = lambda _: False
    try:
        yield runs
    finally:
        runs.go_on.set()
        for release, (predict, is_short) in zip(releases, before, strict=True):
            release.predict, release.is_short = predict, is_short


def labels(release: LoadedRelease, ticket: Ticket) -> list[str]:
    return [release.labels[int(place.output.indices[place.row])] for place in ticket.answers()]


def test_a_request_larger_than_a_batch_comes_back_whole_and_in_order(release: LoadedRelease) -> None:
    words = {"invoice": "billing", "courier": "delivery", "hello": "other"}
    texts = [f"{word} {'please ' * (number % 20)}" for number, word in enumerate(list(words) * 40)]

    async def run() -> list[str]:
        running = scheduler()
        found = labels(release, await running.predict(release, release.encode(texts)))
        await running.stop()
        return found

    assert asyncio.run(run()) == [words[text.split()[0]] for text in texts]


def test_past_the_bound_requests_are_refused_at_once_and_told_when_to_come_back(release: LoadedRelease) -> None:
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


def test_a_request_above_the_whole_bound_is_served_when_nothing_waits(release: LoadedRelease) -> None:
    async def run() -> int:
        running = scheduler(queue_tokens=1)
        found = await running.predict(release, release.encode(["invoice please"] * 30))
        await running.stop()
        return len(found.answers())

    assert asyncio.run(run()) == 30


def test_a_caller_that_leaves_frees_its_place(release: LoadedRelease) -> None:
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


def test_once_stopped_nothing_hangs(release: LoadedRelease) -> None:
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


def test_a_model_that_fails_answers_its_callers_and_the_next(release: LoadedRelease) -> None:
    (good,) = release.encode(["invoice please"])
    bad = type(good)(good.text, [10**9], 1, 0.0, 1.0)  # outside the vocabulary: the session run fails

    async def run() -> None:
        running = scheduler()
        with pytest.raises(ModelOutputError, match="rollback support"):
            await running.predict(release, [bad])
        assert labels(release, await running.predict(release, [good])) == ["billing"]
        await running.stop()

    asyncio.run(run())


def test_what_waits_beyond_its_deadline_is_told_so_and_never_run(release: LoadedRelease) -> None:
    first, late = release.encode(["invoice please", "courier today"])

    async def run(runs: Runs) -> None:
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


def test_an_answer_that_comes_too_late_is_told_so(release: LoadedRelease) -> None:
    (text,) = release.encode(["invoice please"])

    async def run(runs: Runs) -> None:
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


def test_a_lane_does_not_run_what_is_late_already(release: LoadedRelease) -> None:
    late, good = release.encode(["invoice please", "courier today"])

    async def run(runs: Runs) -> None:
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


def test_what_cannot_be_in_time_is_refused_before_it_waits(release: LoadedRelease) -> None:
    encoded = release.encode(["invoice please"])

    async def run(runs: Runs) -> None:
        running = scheduler()
        begun = asyncio.create_task(running.predict(release, encoded))
        await runs.wait(1)
        waiting = asyncio.create_task(running.predict(release, encoded))
        await asyncio.sleep(0)
        with pytest.raises(QueueFullError):
            await running.predict(release, encoded, deadline=time.monotonic())
        runs.go_on.set()
        await asyncio.gather(begun, waiting)
        await running.stop()

    with held(release) as runs:
        asyncio.run(run(runs))


def test_callers_that_hung_up_are_noticed_and_leave_their_places_to_others(release: LoadedRelease) -> None:
    first, gone, later = release.encode(["invoice please", "courier today", "hello please"])

    async def hung_up() -> None:
        """At once."""

    async def run(runs: Runs) -> None:
        running = scheduler(queue_tokens=8)
        begun = asyncio.create_task(running.predict(release, [first]))
        await runs.wait(1)
        away = [asyncio.create_task(running.predict(release, [gone], hung_up=hung_up)) for _ in range(2)]
        await asyncio.sleep(0)
        with pytest.raises(QueueFullError):
            await running.predict(release, [later])
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


def test_one_bad_text_does_not_spoil_its_neighbours(release: LoadedRelease) -> None:
    first, good = release.encode(["invoice please", "courier today"])
    bad = type(good)(good.text, [10**9] * len(good.ids), 1, 0.0, 1.0)

    async def run(runs: Runs) -> list[object]:
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
    home: Home, make_release: Callable[..., Manifest], release: LoadedRelease
) -> None:
    make_release(home, "orders")
    other = load_release(home, "orders", "0001", threads=1)
    (flood,) = release.encode(["invoice please"])
    (single,) = other.encode(["courier today"])

    async def run(runs: Runs) -> None:
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


def test_a_shadow_takes_no_place_of_callers_and_lets_them_go_first(release: LoadedRelease) -> None:
    (caller,) = release.encode(["courier today"])
    scored: list[int] = []

    async def run(runs: Runs) -> None:
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


def test_more_shadow_work_than_may_wait_is_declined_at_once(release: LoadedRelease) -> None:
    async def run(runs: Runs) -> None:
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


def test_a_short_text_alone_is_run_where_it_is_and_all_else_by_lanes(release: LoadedRelease) -> None:
    short, long = release.encode(["invoice please", "invoice " * 30])
    threads: list[str] = []
    predict = release.predict

    def noted(rows: Sequence[list[int]], *, all_cores: bool = False) -> BatchOutput:
        threads.append(f"{threading.current_thread().name.partition('-')[0]} {all_cores}")
        return predict(rows, all_cores=all_cores)

    release.predict = noted
    release.is_short = lambda tokens: tokens <= len(short.ids)

    async def run() -> None:
        running = scheduler()
        await running.predict(release, [short])
        await running.predict(release, [long])
        await asyncio.gather(running.predict(release, [short]), running.predict(release, [short]))
        await running.stop()

    asyncio.run(run())
    assert threads == ["MainThread False", "lane True", "lane False"]


def test_a_shadow_offered_while_the_loop_runs_a_text_is_not_forgotten(release: LoadedRelease) -> None:
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


def test_a_stop_does_not_wait_for_the_rest_of_a_shadows_work(release: LoadedRelease) -> None:
    (caller,) = release.encode(["courier today"])

    async def run(runs: Runs) -> None:
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
