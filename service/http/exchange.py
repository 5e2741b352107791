"""One request and its answer: ASGI over a connection. An answer that is whole leaves in one write.

In place of uvicorn's own, which writes head and body apart (two system calls, and two packets for the caller to read),
makes an event for every request and looks through every header with regular expressions.
"""

from __future__ import annotations

import asyncio
import http
import logging
from collections.abc import Iterable
from typing import Protocol

from service.http.asgi import AsgiApp, Headers, Message, Scope

logger = logging.getLogger(__name__)

# Beyond this, a body that nobody takes is left in the socket.
HIGH_WATER = 65_536
_CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"
_WITHOUT_BODY = (204, 304)


_PHRASES = {status.value: status.phrase for status in http.HTTPStatus}
STATUS_LINES = {status: f"HTTP/1.1 {status} {_PHRASES.get(status, '')}\r\n".encode() for status in range(100, 600)}


class Line(Protocol):
    """What an exchange needs of its connection."""

    def write(self, data: bytes) -> None:
        """Send, or forget where the other side is gone."""

    def default_head(self) -> bytes:
        """Headers of every answer, each with its end of line."""

    async def drain(self) -> None:
        """Returns when the other side takes more."""

    def taken(self) -> None:
        """More of the body may come."""

    def finished(self, exchange: Exchange) -> None:
        """The answer is whole."""

    def broken(self) -> None:
        """No whole answer will come."""


class Exchange:
    """Fed by the connection with the body; `receive` and `send` are what the application sees."""

    __slots__ = (
        "_declared",
        "_end_told",
        "_expects_continue",
        "_head",
        "_line",
        "_method",
        "_parts",
        "_scope",
        "_streamed",
        "_version",
        "_waiter",
        "addressed",
        "answered",
        "disconnected",
        "held",
        "keep_alive",
        "started",
        "unread",
        "whole",
    )

    def __init__(self, line: Line, scope: Scope, *, keep_alive: bool, expects_continue: bool) -> None:
        self._scope: Scope | None = scope
        self._method = scope["method"]
        self._version = scope["http_version"]
        self.keep_alive = keep_alive
        self.addressed = True  # whether it says where it goes
        self.disconnected = False
        self.started = False  # whether some of the answer was sent
        self.answered = False  # whether all of it was
        self.whole = False  # whether all of the body has come
        self.held = 0  # bytes of it that came
        self.unread = 0  # bytes of it that wait here
        self._line = line
        self._parts: list[bytes] = []
        self._end_told = False
        self._expects_continue = expects_continue
        self._waiter: asyncio.Future[None] | None = None
        self._head: bytes | None = None  # of an answer whose body has not begun
        self._streamed = False  # whether each part of the answer tells its length
        self._declared: int | None = None  # bytes of the answer that are still to come

    def feed(self, part: bytes) -> None:
        """A part of the body."""
        self._parts.append(part)
        self.held += len(part)
        self.unread += len(part)
        self.wake()

    def end(self) -> None:
        """The body is whole."""
        self.whole = True
        self.wake()

    def disconnect(self) -> None:
        """The other side is gone."""
        self.disconnected = True
        self._scope = None
        self._parts = []
        self.wake()

    def wake(self) -> None:
        """Whoever waits in `receive` looks again."""
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)

    def whole_body(self) -> bytes | None:
        """All of the body, taken, or None while it is still coming: most requests never have to wait for it."""
        if not self.whole or self.disconnected:
            return None
        return self._take()

    async def run(self, app: AsgiApp) -> None:
        """Have the request answered, one way or another. Once."""
        # Not kept beside: the scope refers to this, and what refers to itself is left to the garbage collector.
        scope, self._scope = self._scope, None
        try:
            # Answers are made for who takes them: without this, they would pile up for who only asks.
            await self._line.drain()
            if scope is not None and not self.disconnected:
                await app(scope, self.receive, self.send)
        except asyncio.CancelledError:
            self._line.broken()
            raise
        except Exception:
            logger.exception("The application failed.")
            await self._failed()
        else:
            if not self.answered and not self.disconnected:
                logger.error("The application returned without a whole answer.")
                await self._failed()

    async def receive(self) -> Message:
        """ASGI: the body, or that there will be no more."""
        if self._expects_continue and not (self.whole or self.held or self.started):
            self._line.write(_CONTINUE)
        self._expects_continue = False
        while not (self.disconnected or self.answered):
            if self._parts or (self.whole and not self._end_told):
                return {"type": "http.request", "body": self._take(), "more_body": not self._end_told}
            await self._wait()
        return {"type": "http.disconnect"}

    async def send(self, message: Message) -> None:
        """ASGI: the answer. What is sent to nobody is forgotten."""
        if self.disconnected:
            return
        kind = message["type"]
        if kind == "http.response.start" and self._head is None and not self.started:
            self._head = self._begin(message["status"], message.get("headers", ()))
        elif kind == "http.response.body" and not self.answered and (self.started or self._head is not None):
            await self._continue(message.get("body", b""), more=message.get("more_body", False))
        else:
            raise RuntimeError(f"Unexpected ASGI message {kind!r} in an answer.")

    def answer(self, status: int, headers: Headers, body: bytes) -> None:
        """All of the answer at once, in the place of two messages; its headers say how long the body is."""
        if self.disconnected:
            return
        if self.started or self._head is not None:
            raise RuntimeError("An answer has begun already.")
        head = self._begin(status, headers)
        self.started = True
        self._line.write(head if self._method == "HEAD" else head + body)
        self._end()

    def _take(self) -> bytes:
        parts, self._parts = self._parts, []
        unread, self.unread = self.unread, 0
        self._end_told = self.whole
        if unread > HIGH_WATER:
            self._line.taken()  # at which more may come at once
        return parts[0] if len(parts) == 1 else b"".join(parts)

    async def _wait(self) -> None:
        self._waiter = asyncio.get_running_loop().create_future()
        try:
            await self._waiter
        finally:
            self._waiter = None

    def _begin(self, status: int, headers: Iterable[tuple[bytes, bytes]]) -> bytes:
        lines = [STATUS_LINES[status], self._line.default_head()]
        # Who was never told to send a body may do so or not: what comes next could be that, or another request.
        stays = self.keep_alive and not (self._expects_continue and not (self.whole or self.held))
        for name, value in headers:
            if b"\n" in value or b"\r" in value or b"\0" in value or not name or b"\n" in name or b":" in name:
                raise RuntimeError(f"Header {name!r} of an answer holds what no header may.")
            name = name.lower()
            if name == b"content-length":
                self._declared = int(value)
            elif name == b"connection" and b"close" in value.lower():
                stays = False
            elif name == b"transfer-encoding":
                continue
            lines += (name, b": ", value, b"\r\n")
        if self._method == "HEAD" or status in _WITHOUT_BODY:
            self._declared = 0
        elif self._declared is None:
            if self._version == "1.1":
                self._streamed = True
                lines.append(b"transfer-encoding: chunked\r\n")
            else:
                stays = False  # where the connection ends, the answer does
        if not stays and b"connection" not in lines:
            lines.append(b"connection: close\r\n")
        self.keep_alive = stays
        lines.append(b"\r\n")
        return b"".join(lines)

    async def _continue(self, body: bytes, *, more: bool) -> None:
        data, self._head = self._head or b"", None
        self.started = True
        if self._method == "HEAD":
            body = b""
        if self._streamed:
            data += b"%x\r\n%b\r\n" % (len(body), body) if body else b""
            data += b"" if more else b"0\r\n\r\n"
        else:
            if self._declared is not None:
                self._declared -= len(body)
                if self._declared < 0 or (self._declared and not more):
                    self._line.broken()
                    raise RuntimeError("The body of an answer is not as long as its head said.")
            data += body
        self._line.write(data)
        if more:
            await self._line.drain()
        else:
            self._end()

    def _end(self) -> None:
        self.answered = True
        self.wake()
        self._line.finished(self)

    async def _failed(self) -> None:
        if self.started:
            self._line.broken()
            return
        self._head = None
        self._streamed = False
        self._declared = None
        self.keep_alive = False
        body = b"Internal Server Error"
        headers: Headers = [(b"content-type", b"text/plain; charset=utf-8"), (b"content-length", b"%d" % len(body))]
        await self.send({"type": "http.response.start", "status": 500, "headers": headers})
        await self.send({"type": "http.response.body", "body": body})


class DefaultHead:
    """Headers of every answer as they are sent, written down once for each list of them."""

    def __init__(self) -> None:
        self._written: tuple[object, bytes] = (None, b"")

    def of(self, headers: Headers) -> bytes:
        """Each with its end of line."""
        made_of, head = self._written
        if made_of is not headers:
            head = b"".join(b"%b: %b\r\n" % header for header in headers)
            self._written = headers, head
        return head


def last_answer(status: int, headers: Headers, body: bytes) -> bytes:
    """A whole answer after which the connection is closed."""
    every = [*headers, (b"content-length", b"%d" % len(body)), (b"connection", b"close")]
    return b"".join([STATUS_LINES[status], *(b"%b: %b\r\n" % header for header in dict(every).items()), b"\r\n", body])
