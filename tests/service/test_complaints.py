from __future__ import annotations

import logging

import pytest

from service.logs import complaints
from service.logs.complaints import COMPLAIN_SECONDS, Complaints


class Clock:
    """Time that passes only when told to."""

    def __init__(self) -> None:
        self.now = 1000.0

    def monotonic(self) -> float:
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr(complaints, "time", clock)
    return clock


@pytest.fixture
def told() -> Complaints:
    return Complaints("The log", "records were lost")


def test_what_stays_is_told_once_a_minute_with_all_that_was_lost_since(
    told: Complaints, clock: Clock, caplog: pytest.LogCaptureFixture
) -> None:
    told.tell("support", "The disk is full.", 2)
    for _ in range(1000):
        clock.now += COMPLAIN_SECONDS / 2000
        told.tell("support", "The disk is full.", 3)
    assert caplog.messages == ["The disk is full. 2 records were lost just now."]
    clock.now += COMPLAIN_SECONDS / 2 + 0.1
    told.tell("support", "The disk is read-only.", 1)
    assert caplog.messages[1:] == ["The disk is read-only. 3001 records were lost in the last 60 s."]
    assert {record.levelno for record in caplog.records} == {logging.ERROR}
    assert told.problem("support") == "The disk is read-only."


@pytest.mark.usefixtures("clock")
def test_its_end_is_told_once(told: Complaints, caplog: pytest.LogCaptureFixture) -> None:
    told.over("support")
    assert not caplog.messages, "nothing was wrong"
    told.tell("support", "The disk is full.", 1)
    told.tell("support", "The disk is full.", 4)
    told.over("support")
    told.over("support")
    assert caplog.messages[1:] == ["The log of task support is written again; 4 records were lost since it was told."]
    assert told.problem("support") is None


def test_what_comes_and_goes_is_told_once_a_minute(
    told: Complaints, clock: Clock, caplog: pytest.LogCaptureFixture
) -> None:
    for _ in range(100):
        told.tell("support", "The disk is full.", 1)
        assert told.problem("support") is not None
        told.over("support")
        assert told.problem("support") is None
    assert len(caplog.messages) == 2
    clock.now += COMPLAIN_SECONDS
    told.tell("support", "The disk is full.", 1)
    assert caplog.messages[2:] == ["The disk is full. 100 records were lost in the last 60 s."]


@pytest.mark.usefixtures("clock")
def test_one_task_says_nothing_of_another(told: Complaints, caplog: pytest.LogCaptureFixture) -> None:
    told.tell("support", "The disk is full.", 1)
    told.over("orders")
    assert told.problem("support") == "The disk is full."
    assert told.problem("orders") is None
    told.tell("orders", "The folder is no folder.", 1)
    told.over("support")
    assert told.problem("orders") == "The folder is no folder."
    assert len(caplog.messages) == 3, "each is told by itself"
