"""HTTP/1.1 over a connection: requests are answered in order, and who owes one is held to a time and a size.

Without bounds, who opens connections and sends a byte now and then (slowloris), or headers without end, takes the
service's descriptors and memory for as long as they like. uvicorn's server does the accepting and the stopping.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable
from typing import Any

import httptools

from service.errors import BodiesFullError, ConnectionsFullError, HeadTooLargeError, HeadTooSlowError
from service.http.asgi import Headers
from service.http.exchange import HIGH_WATER, Exchange, last_answer
from service.http.problems import problem_of
from service.http.request_reader import RequestReader
from service.http.sweeper import Sweeper

MAX_HEAD_BYTES = 64 * 2**10


class Bodies:
    """Bytes of bodies in memory that nobody has answered yet, of all connections of a server."""

    def __init__(self, most: int) -> None:
        self.most = most
        self.held = 0


class Connection(asyncio.Protocol):
    """Its bounds are set by `bounded_protocol`; uvicorn's server gives the rest."""

    head_seconds: float
    idle_seconds: float
    message_bytes: int
    most_connections: int
    bodies: Bodies
    sweeper: Sweeper
    refused: Callable[[int], object]

    def __init__(self, config: Any, server_state: Any, app_state: dict[str, Any], _loop: Any = None) -> None:
        self._app = config.loaded_app
        self._loop: asyncio.AbstractEventLoop = _loop or asyncio.get_running_loop()
        self._state = server_state
        self._app_state = app_state
        self._reader: RequestReader
        self._transport: Any = None  # uvloop's are not derived from asyncio's
        self._exchanges: deque[Exchange] = deque()  # the first is being answered
        self._stopping = False  # no further request will be answered
        self._paused = False
        self._unreadable = False  # what came after the last request is no HTTP
        self._writable: asyncio.Event | None = None  # while the other side does not take what it asked for
        self._stuck_since = 0.0
        self._owes_since = 0.0  # event loop's time, s; counts while no request is being answered
        self._is_first = True
        self._defaults: tuple[object, bytes] = (None, b"")

    # asyncio's side.

    def connection_made(self, transport: Any) -> None:
        self._transport = transport
        self._owes_since = self._loop.time()
        self._reader = RequestReader(
            self,
            {
                "type": "http",
                "asgi": {"version": "3.0", "spec_version": "2.3"},
                "root_path": "",
                "state": self._app_state.copy(),
                "server": _pair(transport.get_extra_info("sockname")),
                "client": _pair(transport.get_extra_info("peername")),
                "scheme": "https" if transport.get_extra_info("sslcontext") else "http",
            },
        )
        self._state.connections.add(self)
        if len(self._state.connections) > self.most_connections:
            self._refuse(ConnectionsFullError(self.most_connections))
        self.sweeper.add(self, self._loop)

    def connection_lost(self, _error: Exception | None) -> None:
        self._state.connections.discard(self)
        self._unreadable = True
        for exchange in self._exchanges:
            self._forget(exchange)
            exchange.disconnect()
        self._exchanges.clear()
        self.resume_writing()
        self._reader.close()

    def pause_writing(self) -> None:
        """The caller does not take what it asked for."""
        self._stuck_since = self._loop.time()
        self._writable = asyncio.Event()

    def resume_writing(self) -> None:
        """It does again."""
        if self._writable is not None:
            self._writable.set()
            self._writable = None

    def data_received(self, data: bytes) -> None:
        if self._unreadable or (self._stopping and not self._exchanges):
            return
        try:
            self._reader.feed(data)
        except httptools.HttpParserError:
            self._meet_nonsense()
            return
        if self._reader.beyond > MAX_HEAD_BYTES:
            self._check_size()

    # The reader's side.

    def begun(self) -> None:
        """A request's first byte."""
        self._owes_since = self._loop.time()

    def asked(self, exchange: Exchange) -> None:
        """A request's head is whole."""
        self._is_first = False
        exchange.keep_alive = exchange.keep_alive and not self._stopping
        self._exchanges.append(exchange)
        if len(self._exchanges) == 1:
            # Its task begins in the next turn of the loop: until then, what came with its head is read.
            self._start(exchange)
        else:
            self._pause()

    def came(self, exchange: Exchange, size: int) -> None:
        """A part of its body, in bytes."""
        self.bodies.held += size
        if exchange.unread > HIGH_WATER:
            self._pause()
        # Only in its turn: a caller would take the refusal for the answer to what it asked before.
        if self.bodies.held > self.bodies.most and exchange.held > HIGH_WATER and exchange is self._exchanges[0]:
            self._refuse(BodiesFullError())

    # The exchange's side.

    def write(self, data: bytes) -> None:
        """Send, or forget where the other side is gone."""
        if not self._transport.is_closing():
            self._transport.write(data)

    def default_head(self) -> bytes:
        """The date, which uvicorn's server makes anew every second."""
        made_of, head = self._defaults
        if made_of is not self._state.default_headers:
            made_of = self._state.default_headers
            head = b"".join(b"%b: %b\r\n" % header for header in made_of)
            self._defaults = made_of, head
        return head

    async def drain(self) -> None:
        """Returns when the other side takes more."""
        if self._writable is not None:
            await self._writable.wait()

    def taken(self) -> None:
        """More of the body may come."""
        if len(self._exchanges) < 2:
            self._resume()

    def finished(self, exchange: Exchange) -> None:
        """The answer is whole: the next request's turn."""
        self._state.total_requests += 1
        self._owes_since = self._loop.time()
        self._forget(exchange)
        if self._exchanges and self._exchanges[0] is exchange:
            self._exchanges.popleft()
        if not exchange.keep_alive:
            self._transport.close()
        elif self._exchanges:
            self._start(self._exchanges[0])
            if len(self._exchanges) == 1:
                self._resume()
        elif self._unreadable:
            self._meet_nonsense()
        elif self._stopping or self._reader.is_last:
            self._transport.close()
        else:
            self._resume()

    def broken(self) -> None:
        """No whole answer will come."""
        self._transport.close()

    # uvicorn's and the sweeper's side.

    def shutdown(self) -> None:
        """Answer what is being answered, and close."""
        self._stopping = True
        if not self._exchanges:
            self._transport.close()
        for exchange in self._exchanges:
            exchange.keep_alive = exchange.keep_alive and exchange is not self._exchanges[-1]

    @property
    def is_open(self) -> bool:
        """Whether it still stands."""
        return self in self._state.connections

    def check(self, now: float) -> None:
        """Ends the connection if it owes a request, or the taking of an answer, for too long at `now`."""
        if self._writable is not None and now - self._stuck_since > self.idle_seconds:
            self._transport.abort()
            return
        bound = self.head_seconds if self._reader.in_head or self._is_first else self.idle_seconds
        if self._exchanges or now - self._owes_since <= bound:
            return
        if self._transport.is_closing():
            # It was closed and still stands: the other side does not take what is left to send.
            if now - self._owes_since > 2 * bound:
                self._transport.abort()
        elif self._reader.in_head:
            self._refuse(HeadTooSlowError(self.head_seconds))
        else:
            self._transport.close()

    def _pause(self) -> None:
        if not self._paused:
            self._paused = True
            self._transport.pause_reading()

    def _resume(self) -> None:
        if self._paused:
            self._paused = False
            self._transport.resume_reading()

    def _start(self, exchange: Exchange) -> None:
        task = self._loop.create_task(exchange.run(self._app))
        self._state.tasks.add(task)
        task.add_done_callback(self._state.tasks.discard)

    def _forget(self, exchange: Exchange) -> None:
        """What is left of its body counts no more."""
        self.bodies.held -= exchange.held
        exchange.held = 0

    def _check_size(self) -> None:
        if self._reader.beyond > self.message_bytes:
            self._transport.abort()
        elif self._reader.in_head and self._exchanges:
            self._pause()  # told once what was asked before is answered
        elif self._reader.in_head:
            self._refuse(HeadTooLargeError(MAX_HEAD_BYTES))

    def _meet_nonsense(self) -> None:
        """What came is no HTTP: told once what was asked before is answered."""
        self._unreadable = True
        spoilt, self._reader.coming = self._reader.coming, None
        if spoilt is not None:
            spoilt.disconnect()
            self._forget(spoilt)
            if spoilt in self._exchanges:
                self._exchanges.remove(spoilt)
            if spoilt.started:
                self._transport.close()
        if not self._exchanges:
            self._end(400, [(b"content-type", b"text/plain; charset=utf-8")], b"Invalid HTTP request received.")

    def _refuse(self, error: Exception) -> None:
        if self._exchanges and self._exchanges[0].started:
            self._transport.close()  # no refusal in the middle of an answer
        problem = problem_of(error, "")
        self._end(problem.status, [(b"content-type", problem.content_type), *problem.headers], problem.body)
        for exchange in self._exchanges:
            exchange.disconnect()

    def _end(self, status: int, headers: Headers, body: bytes) -> None:
        if not self._transport.is_closing():
            self.refused(status)
            self._transport.write(last_answer(status, headers, body))
            self._transport.close()


def _pair(address: Any) -> tuple[str, int] | None:
    return (str(address[0]), int(address[1])) if isinstance(address, tuple | list) and len(address) > 1 else None
