from __future__ import annotations

import asyncio
import socket
import threading
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.heartbeat import Silence, beat, beat_seconds, listen, wait_for_end

BOUND = 30.0


@pytest.fixture
def channel() -> Iterator[tuple[socket.socket, socket.socket]]:
    """The parent's end, which does not block, and the worker's."""
    parent, worker = socket.socketpair()
    parent.setblocking(False)
    with parent, worker:
        yield parent, worker


@given(st.floats(0.5, 600), st.lists(st.floats(0, 2), max_size=200))
def test_who_beats_in_time_is_never_given_up(bound: float, pauses: list[float]) -> None:
    silence = Silence()
    for pause in pauses:
        silence.passed(min(pause, bound), bound)
        assert not silence.too_long(bound)
        silence.heard()


@pytest.mark.parametrize(("bound", "at_the_start"), [(1.0, 120), (BOUND, 120), (300.0, 300)])
def test_a_worker_that_starts_has_more_time(bound: float, at_the_start: int) -> None:
    silence = Silence()
    for tick in range(1, 8 * at_the_start):
        silence.passed(0.25, bound)
        assert silence.too_long(bound) == (tick / 4 > at_the_start), tick


def test_silence_is_too_long_after_the_bound() -> None:
    silence = Silence()
    silence.heard()
    for second in range(1, 32):
        silence.passed(1.0, BOUND)
        assert silence.too_long(BOUND) == (second > BOUND)


def test_a_parent_that_slept_itself_blames_nobody() -> None:
    silence = Silence()
    silence.heard()
    silence.passed(8 * 3600.0, BOUND)
    assert not silence.too_long(BOUND)


def test_without_a_bound_nobody_is_given_up() -> None:
    silence = Silence()
    for _ in range(10_000):
        silence.passed(1.0, 0)
    assert not silence.too_long(0)


@given(st.floats(0.01, 3600))
def test_several_beats_fit_into_the_bound(bound: float) -> None:
    assert 0 < 4 * beat_seconds(bound) < bound


def test_beats_come_while_the_event_loop_turns_and_the_end_is_noticed_on_either_side(
    channel: tuple[socket.socket, socket.socket],
) -> None:
    parent, worker = channel
    assert listen(parent) is False

    async def turn() -> None:
        beating = asyncio.create_task(beat(worker, 0.001))
        while not listen(parent):
            await asyncio.sleep(0.001)
        beating.cancel()

    asyncio.run(asyncio.wait_for(turn(), 30))
    worker.close()
    while (found := listen(parent)) is not None:
        assert found is True


def test_a_parent_that_reads_nothing_holds_nobody_up(channel: tuple[socket.socket, socket.socket]) -> None:
    parent, worker = channel

    async def turn() -> None:
        beating = [asyncio.create_task(beat(worker, 0)) for _ in range(50)]
        for _ in range(500):
            await asyncio.sleep(0)
        assert not any(task.done() for task in beating)
        parent.close()
        await asyncio.wait_for(asyncio.gather(*beating), 30)

    asyncio.run(turn())


def test_the_end_of_the_parent_ends_the_wait(channel: tuple[socket.socket, socket.socket]) -> None:
    parent, worker = channel
    waiting = threading.Thread(target=wait_for_end, args=(worker,))
    waiting.start()
    parent.close()
    waiting.join(30)
    assert not waiting.is_alive()
