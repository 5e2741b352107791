"""A load generator that remembers everything: which request went over which connection, and what came back when."""

from __future__ import annotations

import asyncio
import json
import random
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass

import httptools
import pytest

CUT = -1  # the status of a request whose connection was closed before its answer was whole
# A connection makes room for another after so many requests, so that a new worker gets its part.
_REQUESTS_A_CONNECTION = 40
# More would be a test of this generator.
_MOST_A_SECOND = 1500.0


@dataclass(slots=True)
class Sent:
    """One request and what became of it. Times are monotonic seconds."""

    number: int
    body: bytes
    port: int = 0  # the client's, which names the connection
    sent: float = 0.0
    done: float = 0.0
    status: int = 0  # 0: not answered yet
    retry_after: str = ""
    answer: bytes = b""


class _Connection(asyncio.Protocol):
    """One request at a time."""

    def __init__(self, storm: Storm) -> None:
        self._storm = storm
        self._requests = 0
        self._request: Sent | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = transport
        self._port: int = transport.get_extra_info("sockname")[1]
        self._parser = httptools.HttpResponseParser(self)

    @property
    def is_usable(self) -> bool:
        return not self._transport.is_closing()

    def send(self, request: Sent) -> None:
        self._request = request
        self._requests += 1
        request.port, request.sent = self._port, time.monotonic()
        head = f"POST {self._storm.path} HTTP/1.1\r\nHost: storm\r\nContent-Length: {len(request.body)}\r\n\r\n"
        self._transport.write(head.encode() + request.body)

    def data_received(self, data: bytes) -> None:
        self._parser.feed_data(data)

    def on_header(self, name: bytes, value: bytes) -> None:
        if self._request is not None and name.lower() == b"retry-after":
            self._request.retry_after = value.decode()

    def on_body(self, body: bytes) -> None:
        if self._request is not None:
            self._request.answer += body

    def on_message_complete(self) -> None:
        status, keep = self._parser.get_status_code(), self._parser.should_keep_alive()
        self._parser = httptools.HttpResponseParser(self)
        self._done(status)
        if keep and self._requests < _REQUESTS_A_CONNECTION:
            self._storm.free.append(self)
        else:
            self._storm.retired.append((self._port, time.monotonic()))
            self._transport.close()

    def connection_lost(self, _error: Exception | None) -> None:
        if self._request is not None:
            self._done(CUT)

    def close(self) -> None:
        self._transport.close()

    def _done(self, status: int) -> None:
        request, self._request = self._request, None
        if request is None:
            self._storm.unasked += 1
            return
        request.status, request.done = status, time.monotonic()
        self._storm.out -= 1


class Storm:
    """Requests to one address: as fast as they are answered, or as they come."""

    def __init__(self, host: str, port: int, path: str, text: Callable[[int], str]) -> None:
        self.path = path
        self.requests: list[Sent] = []
        self.free: list[_Connection] = []
        self.out = 0
        self.unasked = 0  # answers to nothing
        self.retired: list[tuple[int, float]] = []  # connections that made room for others: port, when
        self._address = host, port
        self._text = text
        self._tasks: set[asyncio.Task[None]] = set()

    async def capacity(self, concurrency: int, seconds: int) -> float:
        """Answers in the best second, when `concurrency` callers ask again as soon as they are answered."""
        begun = time.monotonic()
        while time.monotonic() < begun + seconds:
            while self.out < concurrency:
                self._begin()
            await asyncio.sleep(0.001)
        answered = [one.done - begun for one in self.requests if one.status == 200 and one.done > begun]
        return max(Counter(map(int, answered)).values(), default=0)

    async def blow(self, rate: float, until: Callable[[], bool]) -> float:
        """A Poisson process of `rate` requests a second that waits for no answer; returns the rate at its end.

        A second in which nobody is refused was no overload (the machine had other work while the capacity was
        measured): the rate is then raised by a tenth.
        """
        rng = random.Random(11)
        due = time.monotonic()
        next_look, looked = due + 1.0, len(self.requests)
        while not until():
            due += rng.expovariate(rate)
            if (wait := due - time.monotonic()) > 0:
                await asyncio.sleep(wait)
            if due > next_look:
                if not any(request.status == 503 for request in self.requests[looked:]):
                    rate = min(1.1 * rate, _MOST_A_SECOND)
                next_look, looked = due + 1.0, len(self.requests)
            self._begin()
        return rate

    async def calm(self) -> None:
        """Until every request has come to an end, which is the caller's to limit."""
        while self.out:
            await asyncio.sleep(0.01)
        for connection in self.free:
            connection.close()
        self.free.clear()

    def _begin(self) -> None:
        number = len(self.requests)
        request = Sent(number, json.dumps({"instances": [self._text(number)]}).encode())
        self.requests.append(request)
        self.out += 1
        while self.free:
            connection = self.free.pop()
            if connection.is_usable:
                connection.send(request)
                return
        task = asyncio.create_task(self._send_over_new(request))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _send_over_new(self, request: Sent) -> None:
        _, connection = await asyncio.get_running_loop().create_connection(lambda: _Connection(self), *self._address)
        connection.send(request)


@pytest.fixture(scope="session")
def storm() -> type[Storm]:
    return Storm
