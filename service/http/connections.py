"""Connections that owe a request are held to a time and a size; uvicorn holds them to neither.

Without it, who opens connections and sends a byte now and then (slowloris), or headers without end, takes the
service's descriptors and memory for as long as they like. Bodies have a bound of their own, see `asgi.py`.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable
from typing import Any

from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol

from service.errors import HeadTooLargeError, HeadTooSlowError
from service.http.problems import CONTENT_TYPE, problem_of

MAX_HEAD_BYTES = 64 * 2**10
# A chunk of one byte takes six on the way; what is more than this beside a body is trailers without end.
_FRAMING = 8
# Of a bound: how much later than told a connection may be closed.
_LATENESS = 0.25
_UPGRADE = re.compile(rb"\r\nupgrade:[^\r\n]*", re.IGNORECASE)


def bounded_protocol(
    *,
    head_seconds: float,
    keep_alive_seconds: float,
    max_body_bytes: int,
    refused: Callable[[int], object] = lambda _: None,
) -> type[BoundedProtocol]:
    """uvicorn's protocol for one server: the whole head of a request comes within `head_seconds`, from its first
    byte or, for the first one, from connecting; and no connection idles for more than `keep_alive_seconds`.

    Heads above MAX_HEAD_BYTES are refused with 431 (one that comes in a single piece is not), slow ones with 408.
    `max_body_bytes` is what the application allows; far above it a connection is broken. `refused` is told the status
    of each answer that the application never sees.
    """
    bounds = {
        "head_seconds": head_seconds,
        "idle_seconds": keep_alive_seconds,
        "message_bytes": MAX_HEAD_BYTES + _FRAMING * max_body_bytes,
        "refused": staticmethod(refused),
        "sweeper": _Sweeper(_LATENESS * min(head_seconds, keep_alive_seconds, 4.0)),
    }
    return type("BoundedProtocol", (BoundedProtocol,), bounds)


def _without_upgrade(data: bytes) -> bytes:
    """The head of a request without its wish for another protocol, after which the parser would drop the body.

    HTTP/2 clients ask for it beside every first request (RFC 7540, section 3.2), and may be ignored.
    """
    head, blank, body = data.partition(b"\r\n\r\n")
    return _UPGRADE.sub(b"", head) + blank + body


class _Sweeper:
    """One timer for all connections of a server, which runs only while there are some."""

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._connections: set[BoundedProtocol] = set()

    def add(self, connection: BoundedProtocol, loop: asyncio.AbstractEventLoop) -> None:
        if not self._connections:
            loop.call_later(self._seconds, self._sweep, loop)
        self._connections.add(connection)

    def _sweep(self, loop: asyncio.AbstractEventLoop) -> None:
        now = loop.time()
        self._connections = {one for one in self._connections if one.is_open}
        for connection in self._connections:
            connection.check(now)
        if self._connections:
            loop.call_later(self._seconds, self._sweep, loop)


class BoundedProtocol(HttpToolsProtocol):
    """Made by `bounded_protocol`, which says the bounds. Costs two readings of the clock a request, and no timer."""

    head_seconds: float
    idle_seconds: float
    message_bytes: int
    sweeper: _Sweeper
    refused: Callable[[int], object]

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self.is_open = True
        self._owes_since = 0.0  # event loop's time, s; counts while no request is being answered
        self._is_first = True
        self._stuck_since: float | None = None  # while the caller does not read
        self._in_head = False
        self._messages = 0
        self._message_bytes = 0  # of the latest, beyond the piece in which it began

    def connection_made(self, transport: Any) -> None:
        self._owes_since = self.loop.time()
        super().connection_made(transport)
        self.sweeper.add(self, self.loop)

    def connection_lost(self, exc: Exception | None) -> None:
        self.is_open = False
        super().connection_lost(exc)

    def pause_writing(self) -> None:
        """asyncio: the caller does not take what it asked for."""
        self._stuck_since = self.loop.time()
        super().pause_writing()

    def resume_writing(self) -> None:
        """asyncio: it does again."""
        self._stuck_since = None
        super().resume_writing()

    def data_received(self, data: bytes) -> None:
        message = self._messages
        if b"pgrade:" in data and self._may_answer and not self._in_head:
            data = _without_upgrade(data)
        super().data_received(data)
        if message == self._messages:
            self._message_bytes += len(data)
            if self._message_bytes > MAX_HEAD_BYTES:
                self._check_size()

    def on_message_begin(self) -> None:
        self._owes_since = self.loop.time()
        self._in_head = True
        self._messages += 1
        self._message_bytes = 0
        super().on_message_begin()

    def on_headers_complete(self) -> None:
        self._in_head = self._is_first = False
        super().on_headers_complete()

    def on_response_complete(self) -> None:
        self._owes_since = self.loop.time()
        super().on_response_complete()

    def send_400_response(self, msg: str) -> None:
        """uvicorn's: what came is no HTTP."""
        self.refused(400)
        super().send_400_response(msg)

    def check(self, now: float) -> None:
        """Ends the connection if it owes a request for too long at `now`."""
        if self._stuck_since is not None and now - self._stuck_since > self.idle_seconds:
            self.transport.abort()
            return
        bound = self.head_seconds if self._in_head or self._is_first else self.idle_seconds
        if not self._may_answer or now - self._owes_since <= bound:
            return
        if self.transport.is_closing():
            # It was closed and still stands: the other side does not take what is left to send.
            if now - self._owes_since > 2 * bound:
                self.transport.abort()
        elif self._in_head:
            self._refuse(HeadTooSlowError(self.head_seconds))
        else:
            self.transport.close()

    def _check_size(self) -> None:
        if self._message_bytes > self.message_bytes:
            self.transport.abort()
        elif self._in_head and self._may_answer:
            self._refuse(HeadTooLargeError(MAX_HEAD_BYTES))

    @property
    def _may_answer(self) -> bool:
        """Whether no request is being answered."""
        return self.cycle is None or self.cycle.response_complete

    def _refuse(self, error: HeadTooLargeError | HeadTooSlowError) -> None:
        if self.transport.is_closing():
            return
        problem = problem_of(error, "")
        headers = [(b"content-type", CONTENT_TYPE), (b"content-length", b"%d" % len(problem.body)), *problem.headers]
        written = b"".join(b"%s: %s\r\n" % header for header in headers)
        self.refused(problem.status)
        self.transport.write(STATUS_LINE[problem.status] + written + b"\r\n" + problem.body)
        self.transport.close()
