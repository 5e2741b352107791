"""How connections end: who closed its side is still answered, who is refused can read why, and nobody holds on."""

from __future__ import annotations

import asyncio
import json
import socket
import struct
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from typing import Any

import pytest
import uvicorn

from service.http.asgi import DisconnectedError, read_body, send_answer
from service.http.bounds import bounded_protocol
from service.http.connections import HALF_CLOSED_SECONDS

IDLE_SECONDS = 1.0
MAX_BODY = 1_000_000
LARGE = 12_000_000  # more than the kernel buffers
told_of_hang_ups: list[float] = []
refused: list[int] = []


async def app(scope: Any, receive: Any, send: Any) -> None:
    """Takes long at /long, unless it is told that the caller is gone."""
    if scope["path"] == "/refused":
        await send_answer(send, 413, b"too large", b"text/plain", [(b"connection", b"close")])
        return
    try:
        body = await read_body(scope, receive, 10**9)
    except DisconnectedError:
        return
    if scope["path"] == "/soon":
        await asyncio.sleep(HALF_CLOSED_SECONDS / 3)
    if scope["path"] == "/long":
        with suppress(TimeoutError):
            async with asyncio.timeout(20):
                assert (await receive())["type"] == "http.disconnect"
                told_of_hang_ups.append(time.monotonic())
                return
    answer = bytes(LARGE) if scope["path"] == "/large" else b"%b %d" % (scope["path"].encode(), len(body))
    await send_answer(send, 200, answer, b"text/plain", [])


@contextmanager
def served(keep_alive_seconds: float, max_connections: int = 10_000) -> Iterator[int]:
    protocol = bounded_protocol(
        head_seconds=30,
        keep_alive_seconds=keep_alive_seconds,
        max_body_bytes=MAX_BODY,
        max_connections=max_connections,
        refused=refused.append,
    )
    server = uvicorn.Server(uvicorn.Config(app, http=protocol, loop="uvloop", lifespan="off", log_config=None))
    with socket.create_server(("127.0.0.1", 0)) as listening:
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]})
        thread.start()
        yield listening.getsockname()[1]
        server.should_exit = True
        thread.join()


@pytest.fixture(scope="module")
def port() -> Iterator[int]:
    with served(IDLE_SECONDS) as found:
        yield found


@pytest.fixture
def connect(port: int) -> Iterator[Callable[[], socket.socket]]:
    opened: list[socket.socket] = []

    def new() -> socket.socket:
        opened.append(socket.create_connection(("127.0.0.1", port), 30))
        return opened[-1]

    yield new
    for connection in opened:
        connection.close()


def get(path: bytes) -> bytes:
    return b"GET %b HTTP/1.1\r\nhost: x\r\n\r\n" % path


def rest(connection: socket.socket) -> bytes:
    return b"".join(iter(lambda: connection.recv(65536), b""))


def test_who_closes_its_side_is_answered_and_then_hung_up_on(connect: Callable[[], socket.socket]) -> None:
    connection = connect()
    connection.sendall(get(b"/a") + get(b"/soon") + get(b"/c") + b"GET /half-a-head")
    connection.shutdown(socket.SHUT_WR)
    found = rest(connection)
    assert [answer.rpartition(b"\r\n")[2] for answer in found.split(b"HTTP/1.1 200 OK")[1:]] == [
        b"/a 0",
        b"/soon 0",
        b"/c 0",
    ]
    assert found.count(b"connection: close\r\n") == 1


def test_who_closes_its_side_before_its_body_is_whole_is_hung_up_on(connect: Callable[[], socket.socket]) -> None:
    connection = connect()
    connection.sendall(b"POST /a HTTP/1.1\r\nhost: x\r\ncontent-length: 10\r\n\r\nabc")
    connection.shutdown(socket.SHUT_WR)
    assert rest(connection) == b""


def test_who_closes_its_side_and_waits_for_long_is_told_so(connect: Callable[[], socket.socket]) -> None:
    connection = connect()
    before = refused[:]
    connection.sendall(get(b"/long"))
    connection.shutdown(socket.SHUT_WR)
    found = rest(connection)
    assert found.startswith(b"HTTP/1.1 504 ")
    assert json.loads(found.partition(b"\r\n\r\n")[2])["type"] == "urn:perennial:problem:half-closed"
    assert refused == before, "a caller that may be gone is no refusal of the service's"


@pytest.mark.parametrize("reset", [False, True], ids=["closed", "reset"])
def test_who_hangs_up_is_noticed(connect: Callable[[], socket.socket], *, reset: bool) -> None:
    connection = connect()
    connection.sendall(get(b"/long"))
    time.sleep(0.1)
    if reset:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    told_of_hang_ups.clear()
    closed = time.monotonic()
    connection.close()
    while not told_of_hang_ups:
        assert time.monotonic() < closed + 20
        time.sleep(0.02)
    assert reset or told_of_hang_ups[0] - closed > HALF_CLOSED_SECONDS / 2


def test_a_long_answer_reaches_who_has_closed_its_side_and_reads_slowly(connect: Callable[[], socket.socket]) -> None:
    connection = connect()
    connection.sendall(get(b"/large"))
    connection.shutdown(socket.SHUT_WR)
    time.sleep(0.5 * IDLE_SECONDS)
    found = connection.recv(1000)
    time.sleep(0.5 * IDLE_SECONDS)
    assert len(found + rest(connection)) > LARGE


def test_who_takes_some_of_its_answer_now_and_then_gets_all_of_it(connect: Callable[[], socket.socket]) -> None:
    connection = connect()
    connection.sendall(b"GET /large HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n")
    received = 0
    for _ in range(8):
        time.sleep(0.4 * IDLE_SECONDS)
        received += len(connection.recv(1_000_000, socket.MSG_WAITALL))
    assert received + len(rest(connection)) > LARGE


def test_a_refusal_is_read_by_who_sends_all_of_its_body_first(connect: Callable[[], socket.socket]) -> None:
    for _ in range(10):
        connection = connect()
        connection.sendall(b"POST /refused HTTP/1.1\r\nhost: x\r\ncontent-length: 6000000\r\n\r\n")
        connection.sendall(bytes(6_000_000))
        assert rest(connection).startswith(b"HTTP/1.1 413 ")


@pytest.mark.parametrize("piece", [b"", b"x"], ids=["says nothing", "dribbles"])
def test_who_was_refused_cannot_hold_its_connection(connect: Callable[[], socket.socket], piece: bytes) -> None:
    connection = connect()
    connection.sendall(b"POST /refused HTTP/1.1\r\nhost: x\r\ncontent-length: 6000000\r\n\r\n")
    assert rest(connection).startswith(b"HTTP/1.1 413 ")
    begun = time.monotonic()

    def send_on() -> None:
        while time.monotonic() < begun + 20:
            connection.sendall(piece or b"x" * (time.monotonic() > begun + 4))
            time.sleep(0.05)

    with pytest.raises(OSError, match=r"reset|Broken pipe"):
        send_on()


def test_who_was_refused_can_send_so_much_and_no_more(connect: Callable[[], socket.socket]) -> None:
    connection = connect()
    connection.sendall(b"POST /refused HTTP/1.1\r\nhost: x\r\ncontent-length: 900000000\r\n\r\n")
    sent: list[int] = []

    def send_on() -> None:
        while sum(sent) < 300 * MAX_BODY:
            sent.append(connection.send(bytes(65536)))

    with pytest.raises(OSError, match=r"reset|Broken pipe"):
        send_on()
    assert sum(sent) > 4 * MAX_BODY


def test_who_comes_when_there_are_too_many_is_told_so() -> None:
    with served(30.0, max_connections=3) as port, ExitStack() as opened:
        first = [opened.enter_context(socket.create_connection(("127.0.0.1", port), 20)) for _ in range(3)]
        for connection in first:
            connection.sendall(get(b"/a"))
            assert connection.recv(65536).startswith(b"HTTP/1.1 200 ")
        beyond = [opened.enter_context(socket.create_connection(("127.0.0.1", port), 20)) for _ in range(100)]
        beyond[0].sendall(get(b"/b"))
        assert rest(beyond[0]).startswith(b"HTTP/1.1 503 ")
        for connection in first:
            connection.sendall(get(b"/a"))
            assert connection.recv(65536).startswith(b"HTTP/1.1 200 ")


HOSTS = [
    (b"1.1", b"", 400),
    (b"1.1", b"host: a\r\nHost: a\r\n", 400),
    (b"1.0", b"host: a\r\nHost: b\r\n", 400),
    (b"1.1", b"host: a b\r\n", 400),
    (b"1.1", b"host: user@a/b\r\n", 400),
    (b"1.0", b"", 200),
    (b"1.1", b"host:\r\n", 200),
    (b"1.1", b"Host: a.example:3000\r\n", 200),
    (b"1.1", b"Host: [::1]:3000\r\n", 200),
]


@pytest.mark.parametrize(("version", "headers", "status"), HOSTS)
def test_a_request_says_once_where_it_goes(
    connect: Callable[[], socket.socket], version: bytes, headers: bytes, status: int
) -> None:
    connection = connect()
    connection.sendall(get(b"/before") + b"GET /a HTTP/%b\r\n%b\r\n" % (version, headers))
    connection.shutdown(socket.SHUT_WR)
    found = rest(connection)
    assert found.startswith(b"HTTP/1.1 200 OK\r\n")
    assert b"HTTP/1.1 %d " % status in found[20:]
    assert (b"urn:perennial:problem:invalid-host" in found) == (status == 400)
