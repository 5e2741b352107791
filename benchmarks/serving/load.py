"""The load: one process that sends requests over kept-alive connections, as cheaply as Python can.

`python -m benchmarks.serving.load` reads a `LoadPlan` as JSON from standard input and writes a `LoadResult` as JSON to
standard output. It has a process of its own so that its work is never counted as the server's. Callbacks instead of
coroutines, and a parser in C: about 0.04 ms of CPU a request, which every server under test pays alike.
"""

from __future__ import annotations

import asyncio
import json
import math
import random
import resource
import sys
import time
from collections import Counter, deque
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from typing import cast

import httptools
import uvloop

_CLOSED = -1  # the status of a request whose connection was closed before its answer was whole
_GIVE_UP_SECONDS = 30.0
_OTHER_FILES = 100


@dataclass(frozen=True)
class LoadPlan:
    """What to send. `rate` None: closed loop, each of `concurrency` connections sends as soon as it is answered.

    With a `rate`, requests a second, arrivals are a Poisson process and never wait for answers (open loop); latency
    counts from the moment that a request was due, so that a server that stalls cannot hide it.
    """

    host: str
    port: int
    path: str
    bodies: list[str]  # sent in turn, from a random start
    concurrency: int
    seconds: float  # measured
    warm_seconds: float = 1.0  # before that
    rate: float | None = None
    seed: int = 0
    headers: dict[str, str] = field(default_factory=dict)
    record: bool = False  # keep every answer


@dataclass(frozen=True)
class LoadResult:
    """What came back within the measured time."""

    seconds: float
    sent: int
    answered: int  # status 200
    statuses: dict[str, int]  # every status and its count; -1: closed before it was answered
    latencies_ms: list[float]  # of status 200, sorted
    cpu_seconds: float  # of this process
    completed: int = 0  # of any status, warming up and the end included
    # Body, status, when (monotonic, s), latency (ms), answer.
    answers: list[tuple[int, int, float, float, str]] = field(default_factory=list)

    @property
    def per_second(self) -> float:
        """Answers a second."""
        return self.answered / self.seconds

    def quantile_ms(self, share: float) -> float:
        """Of the latency of answered requests; infinite when there are none."""
        return quantile(self.latencies_ms, share)


def quantile(ordered: Sequence[float], share: float) -> float:
    """The value that a share of all is below; infinite where there are none."""
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))] if ordered else math.inf


class _Connection(asyncio.Protocol):
    """One request at a time; connects again after the server closed it."""

    def __init__(self, load: _Load) -> None:
        self._load = load
        self._transport: asyncio.WriteTransport | None = None
        self._parser = httptools.HttpResponseParser(self)
        self._body = b""
        self._sent: tuple[int, float] | None = None  # which body, when it was due

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        # uvloop's transports are not derived from asyncio's.
        self._transport = cast(asyncio.WriteTransport, transport)

    def send(self, number: int, due: float) -> None:
        """Send one body; `due` is a monotonic time."""
        self._sent = number, due
        self._body = b""
        if self._transport is not None:
            self._transport.write(self._load.requests[number])

    def data_received(self, data: bytes) -> None:
        self._parser.feed_data(data)

    def on_body(self, body: bytes) -> None:
        """httptools: a part of the answer."""
        self._body += body

    def on_message_complete(self) -> None:
        """httptools: the answer is whole."""
        status, keep = self._parser.get_status_code(), self._parser.should_keep_alive()
        self._parser = httptools.HttpResponseParser(self)
        if not keep and self._transport is not None:
            self._transport.close()
        self._done(status, free=keep)

    def connection_lost(self, _error: Exception | None) -> None:
        self._transport = None
        self._done(_CLOSED, free=False)
        self._load.connect_again(self)

    def _done(self, status: int, *, free: bool) -> None:
        if self._sent is None:
            return
        (number, due), self._sent = self._sent, None
        self._load.answered(self, number, due, status, self._body, free=free)


class _Load:
    def __init__(self, plan: LoadPlan) -> None:
        self._plan = plan
        extra = "".join(f"{name}: {value}\r\n" for name, value in plan.headers.items())
        head = (
            f"POST {plan.path} HTTP/1.1\r\nHost: {plan.host}:{plan.port}\r\nContent-Type: application/json\r\n{extra}"
        )
        self.requests = [
            f"{head}Content-Length: {len(raw)}\r\n\r\n".encode() + raw
            for raw in (body.encode() for body in plan.bodies)
        ]
        self._next = random.Random(plan.seed).randrange(len(self.requests))
        self._free: list[_Connection] = []
        self._due: deque[tuple[int, float]] = deque()
        self._measuring = False
        self._ending = False
        self._out = 0
        self._sent = 0
        self._completed = 0
        self._statuses: Counter[int] = Counter()
        self._latencies: list[float] = []
        self._answers: list[tuple[int, int, float, float, str]] = []

    async def run(self) -> LoadResult:
        """The whole plan."""
        loop = asyncio.get_running_loop()
        for _ in range(self._plan.concurrency):
            await self._connect(loop)
        if self._plan.rate is None:
            for connection in self._free[:]:
                self._send(connection)
        arrivals = None if self._plan.rate is None else asyncio.create_task(self._arrive(self._plan.rate))
        await asyncio.sleep(self._plan.warm_seconds)
        self._measuring = True
        cpu, started = time.process_time(), time.monotonic()
        await asyncio.sleep(self._plan.seconds)
        self._measuring = False
        seconds, cpu = time.monotonic() - started, time.process_time() - cpu
        self._ending = True
        if arrivals is not None:
            arrivals.cancel()
        give_up = time.monotonic() + _GIVE_UP_SECONDS
        while self._out and time.monotonic() < give_up:
            await asyncio.sleep(0.02)
        if self._out:
            self._statuses[_CLOSED] += self._out
        return LoadResult(
            seconds=seconds,
            sent=self._sent,
            answered=len(self._latencies),
            statuses={str(status): count for status, count in sorted(self._statuses.items())},
            latencies_ms=sorted(self._latencies),
            cpu_seconds=cpu,
            completed=self._completed,
            answers=self._answers,
        )

    async def _connect(self, loop: asyncio.AbstractEventLoop) -> None:
        _, connection = await loop.create_connection(lambda: _Connection(self), self._plan.host, self._plan.port)
        self._free.append(connection)

    def connect_again(self, _lost: _Connection) -> None:
        """The server closed one: another takes its place."""
        if not self._ending:
            self._reconnecting = asyncio.get_running_loop().create_task(self._replace())

    async def _replace(self) -> None:
        loop = asyncio.get_running_loop()
        while not self._ending:
            try:
                await self._connect(loop)
            except OSError:
                await asyncio.sleep(0.02)
                continue
            connection = self._free.pop()
            self._idle(connection)
            return

    async def _arrive(self, rate: float) -> None:
        randomness = random.Random(self._plan.seed + 1)
        due = time.monotonic()
        while True:
            due += randomness.expovariate(rate)
            wait = due - time.monotonic()
            if wait > 0:
                await asyncio.sleep(wait)
            number = self._turn()
            if self._free:
                self._send(self._free.pop(), number, due)
            else:
                self._due.append((number, due))

    def _turn(self) -> int:
        self._next = (self._next + 1) % len(self.requests)
        return self._next

    def _send(self, connection: _Connection, number: int | None = None, due: float | None = None) -> None:
        if self._plan.rate is None and connection in self._free:
            self._free.remove(connection)
        self._out += 1
        self._sent += self._measuring
        connection.send(self._turn() if number is None else number, time.monotonic() if due is None else due)

    def _idle(self, connection: _Connection) -> None:
        if self._plan.rate is None:
            if not self._ending:
                self._send(connection)
        elif self._due:
            self._send(connection, *self._due.popleft())
        else:
            self._free.append(connection)

    def answered(
        self, connection: _Connection, number: int, due: float, status: int, body: bytes, *, free: bool
    ) -> None:
        """One request is over."""
        now = time.monotonic()
        self._out -= 1
        self._completed += 1
        if self._measuring:
            self._statuses[status] += 1
            if status == 200:
                self._latencies.append(1000 * (now - due))
        if self._plan.record:
            self._answers.append((number, status, now, 1000 * (now - due), body.decode("utf-8", "replace")))
        if free:
            self._idle(connection)


def main() -> int:
    """Plan in, result out."""
    plan = LoadPlan(**json.load(sys.stdin))
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft < plan.concurrency + _OTHER_FILES:
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    result = uvloop.run(_Load(plan).run())
    json.dump(asdict(result), sys.stdout)
    return 0


if __name__ == "__main__":
    sys.exit(main())
