"""Real sockets against a real uvicorn: those that dribble, stall or flood are ended, all others are left alone."""

from __future__ import annotations

import asyncio
import gc
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from typing import Any

import pytest
import uvicorn

from service.http.asgi import read_body, send_answer
from service.http.bounds import bounded_protocol
from service.http.connections import MAX_HEAD_BYTES, Connection

HEAD_SECONDS = 0.6
IDLE_SECONDS = 1.2
MAX_BODY = 50_000
SLOW_SECONDS = 2.5
LARGE = 20_000_000  # more than the kernel buffers


async def app(scope: Any, receive: Any, send: Any) -> None:
    if scope["path"] == "/slow":
        await asyncio.sleep(SLOW_SECONDS)
    if scope["path"] == "/early":
        await send_answer(send, 401, b"no", b"text/plain", [])
        return
    body = await read_body(scope, receive, 10**9)
    answer = bytes(LARGE) if scope["path"] == "/large" else b"%d" % len(body)
    await send_answer(send, 200, answer, b"text/plain", [])


@contextmanager
def served(head_seconds: float, keep_alive_seconds: float) -> Iterator[int]:
    protocol = bounded_protocol(
        head_seconds=head_seconds, keep_alive_seconds=keep_alive_seconds, max_body_bytes=MAX_BODY
    )
    config = uvicorn.Config(app, http=protocol, loop="uvloop", lifespan="off", log_config=None, timeout_keep_alive=60)
    server = uvicorn.Server(config)
    with socket.create_server(("127.0.0.1", 0)) as listening:
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]})
        thread.start()
        yield listening.getsockname()[1]
        server.should_exit = True
        thread.join()


@pytest.fixture(scope="module")
def ports() -> Iterator[dict[str, int]]:
    with served(HEAD_SECONDS, IDLE_SECONDS) as short, served(60.0, 60.0) as patient:
        yield {"short": short, "patient": patient}


@pytest.fixture
def connect(ports: dict[str, int]) -> Iterator[Callable[..., socket.socket]]:
    with ExitStack() as opened:
        yield lambda bounds="short": opened.enter_context(socket.create_connection(("127.0.0.1", ports[bounds]), 30))


def rest(connection: socket.socket) -> bytes:
    """All that comes until the other side hangs up."""
    found = b""
    try:
        while piece := connection.recv(65536):
            found += piece
    except ConnectionResetError:
        pass
    return found


def one_answer(connection: socket.socket) -> bytes:
    found = b""
    while b"\r\n\r\n" not in found:
        piece = connection.recv(1)
        assert piece, found
        found += piece
    length = int(found.lower().split(b"content-length: ")[1].split(b"\r\n")[0])
    while length:
        piece = connection.recv(length)
        found += piece
        length -= len(piece)
    return found


@contextmanager
def dribbling(connection: socket.socket, piece: bytes, pause: float = 0.05) -> Iterator[None]:
    """Sends a piece over and over, until it cannot any more or the context ends."""
    enough = threading.Event()

    def send() -> None:
        try:
            while not enough.wait(pause):
                connection.sendall(piece)
        except OSError:
            return

    thread = threading.Thread(target=send)
    thread.start()
    try:
        yield
    finally:
        enough.set()
        thread.join()


GET = b"GET / HTTP/1.1\r\nhost: x\r\n\r\n"


def test_who_connects_and_says_nothing_is_hung_up_on(connect: Callable[..., socket.socket]) -> None:
    assert rest(connect()) == b""


@pytest.mark.parametrize("begin", [b"", GET], ids=["first", "later"])
def test_a_head_that_dribbles_is_told_and_ended(connect: Callable[..., socket.socket], begin: bytes) -> None:
    connection = connect()
    if begin:
        connection.sendall(begin)
        one_answer(connection)
    connection.sendall(b"GET / HTTP/1.1\r\nhost: x\r\n")
    with dribbling(connection, b"x-a: b\r\n"):
        told = rest(connection)
    assert told.startswith(b"HTTP/1.1 408 ")
    assert b"urn:perennial:problem:head-too-slow" in told


@pytest.mark.parametrize("piece", [b"\r\n", b""], ids=["empty lines", "nothing"])
def test_a_connection_that_idles_is_ended_whatever_it_sends_beside_requests(
    connect: Callable[..., socket.socket], piece: bytes
) -> None:
    connection = connect()
    connection.sendall(GET)
    assert one_answer(connection).startswith(b"HTTP/1.1 200 ")
    with dribbling(connection, piece):
        assert rest(connection) == b""


def test_a_body_that_nobody_waits_for_does_not_hold_a_connection(connect: Callable[..., socket.socket]) -> None:
    connection = connect()
    connection.sendall(b"POST /early HTTP/1.1\r\nhost: x\r\ncontent-length: 40000\r\n\r\n")
    assert one_answer(connection).startswith(b"HTTP/1.1 401 ")
    with dribbling(connection, b"x"):
        assert rest(connection) == b""


def test_a_request_that_takes_long_to_answer_is_left_alone(connect: Callable[..., socket.socket]) -> None:
    assert SLOW_SECONDS > HEAD_SECONDS + IDLE_SECONDS
    connection = connect()
    # The next request's head has begun meanwhile.
    connection.sendall(b"GET /slow HTTP/1.1\r\nhost: x\r\n\r\nGET / HTTP")
    assert one_answer(connection).startswith(b"HTTP/1.1 200 ")
    connection.sendall(b"/1.1\r\nhost: x\r\n\r\n")
    assert one_answer(connection).startswith(b"HTTP/1.1 200 ")


def test_a_body_that_takes_longer_than_a_head_may_is_left_to_the_application(
    connect: Callable[..., socket.socket],
) -> None:
    connection = connect()
    connection.sendall(b"POST / HTTP/1.1\r\nhost: x\r\ncontent-length: 4\r\n\r\n")
    for byte in (b"a", b"b", b"c", b"d"):
        time.sleep(HEAD_SECONDS)
        connection.sendall(byte)
    assert one_answer(connection).endswith(b"\r\n\r\n4")


def test_a_connection_in_use_lives_on(connect: Callable[..., socket.socket]) -> None:
    connection = connect()
    end = time.monotonic() + 2 * (HEAD_SECONDS + IDLE_SECONDS)
    while time.monotonic() < end:
        connection.sendall(GET)
        assert one_answer(connection).startswith(b"HTTP/1.1 200 ")
        time.sleep(HEAD_SECONDS / 12)


@pytest.mark.parametrize("flood", [b"x-a: " + b"b" * 4000 + b"\r\n", b"b" * 4000], ids=["many headers", "one header"])
def test_a_head_without_end_is_refused(connect: Callable[..., socket.socket], flood: bytes) -> None:
    connection = connect("patient")
    connection.sendall(b"GET / HTTP/1.1\r\nx: ")
    with dribbling(connection, flood, pause=0.001):
        told = rest(connection)
    assert b"urn:perennial:problem:head-too-large" in told


def test_a_head_just_within_the_bound_is_answered(connect: Callable[..., socket.socket]) -> None:
    connection = connect("patient")
    connection.sendall(b"GET / HTTP/1.1\r\nhost: x\r\n")
    connection.sendall(b"x: " + b"b" * (MAX_HEAD_BYTES - 100) + b"\r\n\r\n")
    assert one_answer(connection).startswith(b"HTTP/1.1 200 ")


def test_trailers_without_end_break_the_connection(connect: Callable[..., socket.socket]) -> None:
    connection = connect("patient")
    connection.sendall(b"POST / HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\n1\r\na\r\n0\r\n")
    with dribbling(connection, b"x-a: " + b"b" * 60_000 + b"\r\n", pause=0.001):
        assert rest(connection) == b""


def test_pipelined_bodies_and_heads_are_not_taken_for_one_large_head(connect: Callable[..., socket.socket]) -> None:
    connection = connect("patient")
    one = b"POST / HTTP/1.1\r\nhost: x\r\ncontent-length: 40000\r\n\r\n" + b"y" * 40_000
    received: list[bytes] = []
    reader = threading.Thread(target=lambda: received.extend(one_answer(connection) for _ in range(20)))
    reader.start()
    connection.sendall(one * 20)
    reader.join()
    assert [answer.endswith(b"\r\n\r\n40000") for answer in received] == [True] * 20


def test_a_wish_for_another_protocol_loses_no_body(connect: Callable[..., socket.socket]) -> None:
    connection = connect("patient")
    head = b"POST /early-no HTTP/1.1\r\nHost: x\r\nConnection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\n"
    for _ in range(2):
        connection.sendall(head + b"HTTP2-Settings: AAMAAABkAAQAAP__\r\nContent-Length: 5\r\n\r\nhello")
        answer = connection.recv(4096)
        assert answer.startswith(b"HTTP/1.1 200")
        assert answer.endswith(b"\r\n\r\n5")


def test_who_asks_and_never_reads_is_hung_up_on(connect: Callable[..., socket.socket]) -> None:
    connection = connect()
    connection.sendall(b"GET /large HTTP/1.1\r\nHost: x\r\n\r\n")
    time.sleep(3 * IDLE_SECONDS)
    received = 0
    with suppress(ConnectionResetError):
        while part := connection.recv(2**20):
            received += len(part)
    assert received < LARGE


def test_a_head_without_end_does_not_cost_the_answer_to_what_was_asked_before(
    connect: Callable[..., socket.socket],
) -> None:
    connection = connect("patient")
    connection.sendall(b"GET /slow HTTP/1.1\r\nhost: x\r\n\r\nGET / HTTP/1.1\r\nx: ")
    with dribbling(connection, b"b" * 40_000, pause=0.01):
        assert one_answer(connection).startswith(b"HTTP/1.1 200 ")
        told = rest(connection)
    assert b"urn:perennial:problem:head-too-large" in told


def test_connections_leave_nothing_to_the_garbage_collector(connect: Callable[..., socket.socket]) -> None:
    gc.disable()
    try:
        before = connections()
        with connect() as ended, connect() as broken:
            ended.sendall(GET + b"nonsense\r\n\r\n")
            assert rest(ended).startswith(b"HTTP/1.1 200 ")
            broken.sendall(GET)
            one_answer(broken)
            broken.sendall(GET[:-4])
        end = time.monotonic() + 20
        while (left := connections() - before) and time.monotonic() < end:
            left.clear()
            time.sleep(0.1)
        assert not left
    finally:
        gc.enable()


def connections() -> set[Connection]:
    return {one for one in gc.get_objects() if issubclass(type(one), Connection)}
