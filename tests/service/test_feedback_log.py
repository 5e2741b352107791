from __future__ import annotations

import asyncio
import logging
import math
import threading
import time
from collections.abc import Callable, Coroutine
from pathlib import Path

import pytest

from contracts.errors import LogWriteError
from contracts.files import append_durable
from contracts.home import Home
from contracts.log import Cursor, read_new
from contracts.records import FeedbackRecord
from service.errors import DeadlineError, FeedbackLateError, StoppingError
from service.logs import feedback_log
from service.logs.feedback_log import FeedbackLog

BOUND = 30.0  # that only ends a test which has failed
START = 1_760_000_000.0

Use = Callable[[FeedbackLog], Coroutine[None, None, None]]


class HangingDisk:
    """Writes wait until it is mended."""

    def __init__(self) -> None:
        self.reached = threading.Event()
        self.mended = threading.Event()

    def append(self, path: Path, content: bytes) -> None:
        self.reached.set()
        self.mended.wait(BOUND)
        append_durable(path, content)


@pytest.fixture
def hanging(monkeypatch: pytest.MonkeyPatch) -> HangingDisk:
    disk = HangingDisk()
    monkeypatch.setattr(feedback_log, "append_durable", disk.append)
    return disk


def use(home: Home, work: Use, *, stop_seconds: float = BOUND) -> None:
    """Do something with a started log, and stop it."""

    async def turn() -> None:
        log = FeedbackLog(home, "writer")
        log.start()
        try:
            await work(log)
        finally:
            await log.stop(stop_seconds)

    asyncio.run(turn())


def sent(log: FeedbackLog, name: str, *, task: str = "support", seconds: float = BOUND) -> asyncio.Task[None]:
    """Feedback of one item on its way."""
    return asyncio.create_task(log.append(task, [(name, "billing")], START, deadline=time.monotonic() + seconds))


def kept(home: Home, task: str = "support") -> list[str]:
    return [record.id for record in read_new(home.feedback(task), FeedbackRecord, Cursor())]


def test_what_is_acknowledged_is_on_disk(home: Home) -> None:
    async def work(log: FeedbackLog) -> None:
        await log.append("support", [("a", "billing"), ("b", "other")], START, deadline=math.inf)
        assert kept(home) == ["a", "b"]
        await asyncio.gather(*(sent(log, f"n-{number}") for number in range(50)), sent(log, "o", task="orders"))
        assert kept(home)[2:] == [f"n-{number}" for number in range(50)]
        assert kept(home, "orders") == ["o"]

    use(home, work)


def test_a_refusal_is_one_line_a_minute_without_a_traceback_and_its_end_one_more(
    home: Home, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.WARNING)
    blocked = home.feedback("support")
    blocked.parent.mkdir(parents=True)
    blocked.write_text("a file where a folder should be")

    async def work(log: FeedbackLog) -> None:
        for number in range(20):
            with pytest.raises(LogWriteError, match="none of it is acknowledged"):
                await sent(log, f"lost-{number}")
        (line,) = caplog.records
        assert (line.levelno, line.exc_info) == (logging.ERROR, None)
        assert line.getMessage().endswith("Free space or mend the folder. 1 requests were refused just now.")
        blocked.unlink()
        await sent(log, "kept")
        await sent(log, "kept-too")
        again = "The feedback of task support is written again; 19 requests were refused since it was told."
        assert caplog.messages[1:] == [again]

    use(home, work)
    assert kept(home) == ["kept", "kept-too"]


def test_a_defect_is_logged_whole_each_time_and_those_who_wait_are_told(
    home: Home, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def broken(path: Path, content: bytes) -> None:
        raise KeyError(path, content)

    monkeypatch.setattr(feedback_log, "append_durable", broken)

    async def work(log: FeedbackLog) -> None:
        for _ in range(2):
            with pytest.raises(LogWriteError, match="KeyError"):
                await sent(log, "lost")

    use(home, work)
    assert [record.exc_info is not None for record in caplog.records] == [True, True]


def test_who_waits_for_a_disk_that_hangs_is_told_at_its_deadline_and_never_acknowledged(
    home: Home, hanging: HangingDisk
) -> None:
    async def work(log: FeedbackLog) -> None:
        begun = sent(log, "begun", seconds=0.3)
        shared = sent(log, "shared")
        await asyncio.to_thread(hanging.reached.wait, BOUND)
        waiting = sent(log, "waiting", seconds=0.2)
        patient = sent(log, "patient")
        for late in (begun, waiting):
            with pytest.raises(FeedbackLateError, match="may have been recorded"):
                await late
        assert not shared.done()
        assert not patient.done()
        assert kept(home) == []
        hanging.mended.set()
        await asyncio.gather(shared, patient)
        # A write that was begun goes on; what waited behind it for a caller who has left does not.
        assert kept(home) == ["begun", "shared", "patient"]

    use(home, work)


def test_what_comes_after_its_deadline_is_not_begun(home: Home) -> None:
    async def work(log: FeedbackLog) -> None:
        with pytest.raises(DeadlineError):
            await sent(log, "late", seconds=-1)

    use(home, work)
    assert kept(home) == []


def test_a_stop_finishes_what_was_begun_and_refuses_more(home: Home, hanging: HangingDisk) -> None:
    async def work(log: FeedbackLog) -> None:
        begun = sent(log, "begun")
        await asyncio.to_thread(hanging.reached.wait, BOUND)
        stopping = asyncio.create_task(log.stop(BOUND))
        await asyncio.sleep(0)
        with pytest.raises(StoppingError):
            await sent(log, "more")
        hanging.mended.set()
        await asyncio.gather(begun, stopping)
        assert kept(home) == ["begun"]

    use(home, work)


def test_a_stop_does_not_wait_for_a_disk_that_hangs(
    home: Home, hanging: HangingDisk, caplog: pytest.LogCaptureFixture
) -> None:
    begun = time.monotonic()

    async def work(log: FeedbackLog) -> None:
        task = sent(log, "begun")
        await asyncio.to_thread(hanging.reached.wait, BOUND)
        task.cancel()

    use(home, work, stop_seconds=0.2)
    passed = time.monotonic() - begun
    hanging.mended.set()
    assert passed < BOUND / 2
    assert "not acknowledged" in caplog.text
    left = [thread for thread in threading.enumerate() if thread.name == "feedback"]
    for thread in left:
        thread.join(BOUND)
        assert not thread.is_alive(), "and once the disk is mended the thread ends, though its loop is closed"
