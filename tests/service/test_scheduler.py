from __future__ import annotations

import asyncio
from collections.abc import Callable

import pytest

from contracts.home import Home
from contracts.release import Manifest
from service.backlog import Ticket
from service.errors import ModelOutputError, QueueFullError, StoppingError
from service.metrics import ServiceMetrics
from service.model import LoadedRelease, load_release
from service.scheduler import Scheduler


@pytest.fixture
def release(home: Home, make_release: Callable[..., Manifest]) -> LoadedRelease:
    make_release(home)
    return load_release(home, "support", "0001", threads=1)


def scheduler(queue_tokens: int = 10_000, batch_tokens: int = 64) -> Scheduler:
    return Scheduler(batch_tokens=batch_tokens, queue_tokens=queue_tokens, metrics=ServiceMetrics())


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
