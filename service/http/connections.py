"""HTTP/1.1 over a connection: requests are answered in order, and who owes one is held to a time and a size.

Without bounds, who opens connections and sends a byte now and then (slowloris), or headers without end, takes the
service's descriptors and memory for as long as they like. uvicorn's server does the accepting and the stopping.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import httptools

from service.http.asgi import AsgiApp
from service.http.connection_errors import (
    BodiesFullError,
    ConnectionsFullError,
    HalfClosedError,
    HeadTooLargeError,
    HeadTooSlowError,
    NotHttpError,
)
from service.http.exchange import HIGH_WATER, DefaultHead, Exchange
from service.http.parting import Parting
from service.http.problems import Problem, problem_of
from service.http.request_reader import RequestReader, connection_scope
from service.http.sweeper import Sweeper
from service.http.taking import Taking
from service.http.turns import Bodies, Turns

MAX_HEAD_BYTES = 64 * 2**10
# Who has closed its side of the connection may wait for its answer, or be gone: nothing tells which before something
# is written. It is given as long as a request waits before anybody asks after its caller.
HALF_CLOSED_SECONDS = 1.0
# Connections above the bound that may stand until their refusal is read.
_REFUSED_AT_ONCE = 64


class Connection(asyncio.Protocol):
    """Its bounds are set by `bounded_protocol`; uvicorn's server gives the rest."""

    head_seconds: float
    idle_seconds: float
    message_bytes: int
    most_connections: int
    bodies: Bodies
    sweeper: Sweeper
    refused: Callable[[int], object]
    misaddressed: AsgiApp  # in the application's place, for a request that does not say where it goes
    head: DefaultHead

    def __init__(self, config: Any, server_state: Any, app_state: dict[str, Any], _loop: Any = None) -> None:
        self._app = config.loaded_app
        self._loop: asyncio.AbstractEventLoop = _loop or asyncio.get_running_loop()
        self._state = server_state
        self._app_state = app_state
        self._reader: RequestReader
        self._transport: Any = None  # uvloop's are not derived from asyncio's
        self._exchanges = Turns(self.bodies)
        self._stopping = False  # no further request will be answered
        self._paused = False
        self._unreadable = False  # nothing that comes is read any more
        self._taking = Taking()
        self._patience: asyncio.TimerHandle | None = None  # once the other side sends no more
        self._parting: Parting
        self._owes_since = 0.0  # event loop's time, s; counts while no request is being answered
        self._is_first = True

    # asyncio's side.

    def connection_made(self, transport: Any) -> None:
        self._transport = transport
        self._parting = Parting(transport, self._loop, self.message_bytes)
        self._owes_since = self._loop.time()
        self._reader = RequestReader(self, connection_scope(transport, self._app_state))
        self._state.connections.add(self)
        beyond = len(self._state.connections) - self.most_connections
        if beyond > 0:
            self._refuse(ConnectionsFullError(self.most_connections))
        if beyond > _REFUSED_AT_ONCE:
            transport.close()
        self.sweeper.add(self, self._loop)

    def connection_lost(self, _error: Exception | None) -> None:
        self._state.connections.discard(self)
        self._unreadable = True
        self._exchanges.give_up()
        self._taking.goes_on()
        self._reader.close()
        self._parting.over()
        if self._patience is not None:
            self._patience.cancel()

    def pause_writing(self) -> None:
        """The caller does not take what it asked for."""
        self._taking.stopped(self._loop.time(), self._transport.get_write_buffer_size())

    def resume_writing(self) -> None:
        """It does again."""
        self._owes_since = self._loop.time()
        self._taking.goes_on()

    def data_received(self, data: bytes) -> None:
        if self._unreadable or (self._stopping and not self._exchanges):
            self._parting.came(len(data))
        else:
            self._read(data)

    def eof_received(self) -> bool:
        """The other side sends no more. What it asked for whole is answered, if that can be done soon."""
        self._unreadable = True
        self._drop_unfinished()
        if self._parting.has_begun or not self._exchanges:
            return False
        self._exchanges.end_with_last()
        self._patience = self._loop.call_later(HALF_CLOSED_SECONDS, self._lose_patience)
        return True

    # The reader's side.

    @property
    def reads_on(self) -> bool:
        """Whether more is to be parsed now."""
        return not (self._paused or self._unreadable)

    def begun(self) -> None:
        """A request's first byte."""
        self._owes_since = self._loop.time()

    def asked(self, exchange: Exchange) -> None:
        """A request's head is whole."""
        self._is_first = False
        if self._unreadable:
            exchange.disconnect()
            return
        exchange.keep_alive = exchange.keep_alive and not self._stopping
        self._exchanges.append(exchange)
        if len(self._exchanges) == 1:
            # Its task begins in the next turn of the loop: until then, what came with its head is read.
            self._start(exchange)
        else:
            self._pause()

    def came(self, exchange: Exchange, size: int) -> None:
        """A part of its body, in bytes."""
        if exchange.unread > HIGH_WATER:
            self._pause()
        if not self._exchanges.came(exchange, size):
            self._refuse(BodiesFullError())

    # The exchange's side.

    def write(self, data: bytes) -> None:
        """Send, or forget where the other side is gone."""
        if not self._parting.has_begun:
            self._transport.write(data)

    def default_head(self) -> bytes:
        """The date, which uvicorn's server makes anew every second."""
        return self.head.of(self._state.default_headers)

    async def drain(self) -> None:
        """Returns when the other side takes more."""
        await self._taking.drain()

    def taken(self) -> None:
        """More of the body may come."""
        if len(self._exchanges) < 2:
            self._resume()

    def finished(self, exchange: Exchange) -> None:
        """The answer is whole: the next request's turn."""
        self._state.total_requests += 1
        self._owes_since = self._loop.time()
        self._exchanges.answered(exchange)
        if not exchange.keep_alive:
            self._leave()
        elif self._exchanges:
            self._start(self._exchanges[0])
            if len(self._exchanges) == 1:
                self._resume()
        elif self._unreadable:
            self._meet_nonsense()
        elif self._stopping or self._reader.is_last:
            self._leave()
        else:
            self._resume()

    def broken(self) -> None:
        """No whole answer will come."""
        self._transport.close()

    # uvicorn's and the sweeper's side.

    def shutdown(self) -> None:
        """Answer what is being answered, and close."""
        self._stopping = True
        if not self._exchanges and not self._parting.waits:
            self._transport.close()
        self._exchanges.end_with_last()

    @property
    def is_open(self) -> bool:
        """Whether it still stands."""
        return self in self._state.connections

    def check(self, now: float) -> None:
        """Ends the connection if it owes a request, or the taking of an answer, for too long at `now`."""
        if self._taking.is_held:
            if self._taking.too_slow(now, self._transport.get_write_buffer_size(), self.idle_seconds):
                self._transport.abort()
            return
        if self._parting.waits:
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
            # What had come before is read first, and may be more than enough again.
            self._read(b"")
            if not self._paused:
                self._transport.resume_reading()

    def _read(self, data: bytes) -> None:
        try:
            self._reader.feed(data)
        except httptools.HttpParserError:
            self._meet_nonsense()
            return
        if self._reader.beyond > MAX_HEAD_BYTES:
            self._check_size()

    def _start(self, exchange: Exchange) -> None:
        task = self._loop.create_task(exchange.run(self._app if exchange.addressed else self.misaddressed))
        self._state.tasks.add(task)
        task.add_done_callback(self._state.tasks.discard)

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
        self._drop_unfinished()
        if not self._exchanges:
            self._end(problem_of(NotHttpError(), ""))

    def _drop_unfinished(self) -> None:
        """Of the request that is being read, the rest will not come."""
        spoilt, self._reader.coming = self._reader.coming, None
        if spoilt is not None:
            self._exchanges.drop(spoilt)
            if spoilt.started:
                self._transport.close()

    def _lose_patience(self) -> None:
        if self._exchanges and self._exchanges[0].started:
            # Whoever is gone makes the next write fail.
            self._patience = self._loop.call_later(HALF_CLOSED_SECONDS, self._lose_patience)
        elif self._exchanges:
            # No refusal of the service's: most of those who close have hung up, and are counted as such.
            self._parting.tell(problem_of(HalfClosedError(HALF_CLOSED_SECONDS), ""))
            self._exchanges.give_up()
            self._transport.close()

    def _refuse(self, error: Exception) -> None:
        if self._exchanges and self._exchanges[0].started:
            self._transport.close()  # no refusal in the middle of an answer
        self._end(problem_of(error, ""))
        self._exchanges.give_up()

    def _end(self, problem: Problem) -> None:
        self._unreadable = True
        if not self._parting.has_begun:
            self.refused(problem.status)
            self._parting.tell(problem)
            self._part()

    def _leave(self) -> None:
        """Nothing more is answered: the connection ends, at once unless more may be on its way."""
        reader = self._reader
        if self._exchanges or self._paused or reader.coming is not None or reader.in_head or reader.is_last:
            self._part()
        else:
            self._transport.close()

    def _part(self) -> None:
        self._unreadable = True
        self._owes_since = self._loop.time()
        if self._patience is None:
            self._parting.begin()
        else:
            self._transport.close()  # the other side has finished
