"""One request after another over a raw connection: what is kept apart, what is told, what ends it."""

from __future__ import annotations

import asyncio
import gc
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

import pytest
import uvicorn

from service.http.asgi import read_body, send_answer
from service.http.bounds import bounded_protocol
from service.http.exchange import Exchange

MAX_BODY = 100_000
LARGE = 200_000
asked_large: list[str] = []


async def app(scope: Any, receive: Any, send: Any) -> None:
    path = scope["path"]
    if path == "/fails":
        raise LookupError("no such thing")
    if path == "/says-nothing":
        return
    if path == "/stream":
        await send({"type": "http.response.start", "status": 200, "headers": []})
        for part in (b"one,", b"", b"two"):
            await send({"type": "http.response.body", "body": part, "more_body": True})
        await send({"type": "http.response.body", "body": b""})
        return
    if path == "/begins":
        await send({"type": "http.response.start", "status": 200, "headers": []})
        raise LookupError("no such thing")
    if path == "/early":
        await send_answer(send, 401, b"no", b"text/plain", [])
        return
    if path == "/large":
        asked_large.append(path)
        await send_answer(send, 200, bytes(LARGE), b"text/plain", [])
        return
    if path == "/short":
        await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"9")]})
        await send({"type": "http.response.body", "body": b"four"})
        return
    if path == "/header":
        await send_answer(send, 200, b"", b"text/plain", [(b"x", b"a\r\nset-cookie: b")])
        return
    if path == "/slow":
        await asyncio.sleep(0.5)
    body = await read_body(scope, receive, 10**9)
    if path == "/headers":
        body = b"" if any(name == b"x-late" for name, _ in scope["headers"]) else body
    await send_answer(send, 200, b"%b %d" % (path.encode(), len(body)), b"text/plain", [])


@pytest.fixture(scope="module")
def port() -> Iterator[int]:
    protocol = bounded_protocol(head_seconds=30, keep_alive_seconds=30, max_body_bytes=MAX_BODY)
    server = uvicorn.Server(uvicorn.Config(app, http=protocol, loop="uvloop", lifespan="off", log_config=None))
    with socket.create_server(("127.0.0.1", 0)) as listening:
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]})
        thread.start()
        yield listening.getsockname()[1]
        server.should_exit = True
        thread.join()


@pytest.fixture
def told(port: int) -> Callable[[bytes], bytes]:
    def tell(request: bytes) -> bytes:
        with connected(port) as connection:
            connection.sendall(request)
            return rest(connection)

    return tell


@contextmanager
def connected(port: int) -> Iterator[socket.socket]:
    with socket.create_connection(("127.0.0.1", port), 20) as connection:
        yield connection


def rest(connection: socket.socket) -> bytes:
    return b"".join(iter(lambda: connection.recv(65536), b""))


def get(path: bytes, *headers: bytes, version: bytes = b"1.1") -> bytes:
    return b"GET %b HTTP/%b\r\nhost: x\r\n%b\r\n" % (path, version, b"".join(one + b"\r\n" for one in headers))


CLOSE = b"connection: close"


def test_pipelined_requests_are_answered_in_their_order(told: Callable[[bytes], bytes]) -> None:
    found = told(get(b"/slow") + get(b"/b") + get(b"/c", CLOSE))
    assert [found.index(b"\r\n\r\n/" + path) for path in (b"slow 0", b"b 0", b"c 0")] == sorted(
        found.index(b"\r\n\r\n/" + path) for path in (b"slow 0", b"b 0", b"c 0")
    )
    assert found.count(b"HTTP/1.1 200 OK\r\n") == 3


def test_thousands_of_requests_at_once_are_made_ready_few_at_a_time(port: int) -> None:
    asked = 4000
    with connected(port) as connection:
        # Larger than one read, so that some of it is left in the socket, too.
        connection.sendall(get(b"/slow") + get(b"/b", b"x: " + b"y" * 60) * asked + get(b"/c", CLOSE))
        time.sleep(0.25)
        ready = sum(type(one) is Exchange for one in gc.get_objects())
        found = rest(connection)
    assert 1 < ready < 200
    assert found.count(b"HTTP/1.1 200 OK\r\n") == asked + 2
    assert found.index(b"/slow 0") < found.index(b"/b 0") < found.index(b"/c 0")
    assert found.endswith(b"/c 0")


def test_long_bodies_among_short_requests_come_whole(told: Callable[[bytes], bytes]) -> None:
    sizes = [0, 1, 4095, 4096, 4097, 65_536, 99_999, 3]
    asked = [b"POST /p HTTP/1.1\r\nhost: x\r\ncontent-length: %d\r\n\r\n" % size + b"y" * size for size in sizes]
    found = told(b"".join(asked) + get(b"/c", CLOSE))
    assert [answer.rpartition(b"\r\n\r\n")[2] for answer in found.split(b"HTTP/1.1 200 OK")[1:]] == [
        *(b"/p %d" % size for size in sizes),
        b"/c 0",
    ]


@pytest.mark.parametrize("wish", [b"", b"connection: upgrade\r\nupgrade: h2c\r\n"])
def test_what_comes_behind_a_body_is_no_header(told: Callable[[bytes], bytes], wish: bytes) -> None:
    head = b"POST /headers HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n" + wish
    found = told(head + b"\r\n3\r\nabc\r\n0\r\nx-late: 1\r\n\r\n" + get(b"/next", CLOSE))
    assert b"/headers 3" in found
    assert found.endswith(b"/next 0")


def test_nonsense_behind_a_request_does_not_cost_its_answer(told: Callable[[bytes], bytes]) -> None:
    found = told(get(b"/slow") + b"\x00\x01 nonsense\r\n\r\n")
    assert found.startswith(b"HTTP/1.1 200 OK\r\n")
    assert b"/slow 0" in found
    assert b"urn:perennial:problem:not-http" in found


def test_a_body_that_becomes_nonsense_is_told_at_once(told: Callable[[bytes], bytes]) -> None:
    found = told(b"POST / HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\n1\r\na\r\nzz\r\n")
    assert found.startswith(b"HTTP/1.1 400 ")


@pytest.mark.parametrize("path", [b"/fails", b"/says-nothing", b"/header", b"/begins"])
def test_an_application_that_fails_is_a_500_and_the_end(told: Callable[[bytes], bytes], path: bytes) -> None:
    found = told(get(path) + get(b"/next"))
    assert found.startswith(b"HTTP/1.1 500 ")
    assert found.endswith(b"\r\n\r\nInternal Server Error")
    assert b"set-cookie" not in found
    assert b"chunked" not in found


def test_an_answer_shorter_than_it_said_is_never_taken_for_a_whole_one(told: Callable[[bytes], bytes]) -> None:
    assert told(get(b"/short") + get(b"/next")) == b""


def test_a_stream_tells_where_it_ends(told: Callable[[bytes], bytes]) -> None:
    found = told(get(b"/stream", CLOSE))
    assert b"transfer-encoding: chunked\r\n" in found
    assert found.endswith(b"\r\n\r\n4\r\none,\r\n3\r\ntwo\r\n0\r\n\r\n")
    old = told(get(b"/stream", version=b"1.0"))
    assert b"chunked" not in old
    assert old.endswith(b"\r\n\r\none,two")


def test_head_has_the_length_and_not_the_body(told: Callable[[bytes], bytes]) -> None:
    found = told(get(b"/a", CLOSE).replace(b"GET", b"HEAD"))
    assert b"content-length: 4\r\n" in found
    assert found.endswith(b"\r\n\r\n")


def test_old_callers_are_answered_once(told: Callable[[bytes], bytes]) -> None:
    assert told(get(b"/a", version=b"1.0")).endswith(b"/a 0")


def test_who_waits_for_leave_to_send_a_body_is_given_it(port: int) -> None:
    with connected(port) as connection:
        head = b"POST /a HTTP/1.1\r\nhost: x\r\nexpect: 100-continue\r\ncontent-length: 3\r\nconnection: close\r\n\r\n"
        connection.sendall(head)
        assert connection.recv(100) == b"HTTP/1.1 100 Continue\r\n\r\n"
        connection.sendall(b"abc")
        assert rest(connection).endswith(b"/a 3")


def test_long_bodies_have_only_so_much_room_and_short_ones_always(port: int) -> None:
    """Sixteen times the longest are held; what is taken up is free again once its callers are gone."""
    started = [b"POST /a HTTP/1.1\r\nhost: x\r\ncontent-length: 100000\r\n\r\n" + b"x" * 99_999] * 24
    connections = [socket.create_connection(("127.0.0.1", port), 20) for _ in started]
    try:
        for connection, data in zip(connections, started, strict=True):
            connection.sendall(data)
        told = []
        for connection in connections:
            connection.settimeout(0.3)
            try:
                told.append(connection.recv(65536)[:12])
            except TimeoutError:
                told.append(b"")
        assert 1 <= told.count(b"HTTP/1.1 503") <= 8 + 1
        assert set(told) == {b"", b"HTTP/1.1 503"}
        with connected(port) as short:
            short.sendall(b"POST /short-one HTTP/1.1\r\nhost: x\r\nconnection: close\r\ncontent-length: 2\r\n\r\nab")
            assert rest(short).endswith(b"/short-one 2")
    finally:
        for connection in connections:
            connection.close()
    for _ in range(100):
        with connected(port) as later:
            later.sendall(started[0].replace(b"\r\nhost", b"\r\nconnection: close\r\nhost") + b"x")
            found = rest(later)
        if b" 200 OK" in found:
            break
    assert found.endswith(b"/a 100000")


def test_a_refused_body_is_not_told_in_place_of_the_answer_before(port: int) -> None:
    head = b"POST /a HTTP/1.1\r\nhost: x\r\ncontent-length: 100000\r\n\r\n"
    with ExitStack() as opened:
        for _ in range(16):
            opened.enter_context(connected(port)).sendall(head + b"x" * 99_999)
        time.sleep(0.2)
        connection = opened.enter_context(connected(port))
        connection.sendall(get(b"/slow") + head + b"x" * 80_000)
        found = rest(connection)
        assert found.startswith(b"HTTP/1.1 200 OK\r\n")
        assert b"/slow 0HTTP/1.1 503 " in found


def test_who_asks_on_and_on_and_takes_nothing_is_not_answered_on_and_on(port: int) -> None:
    asked_large.clear()
    asked = 400
    with connected(port) as connection:
        connection.sendall(get(b"/large") * (asked - 1) + get(b"/large", CLOSE))
        time.sleep(0.5)
        # What the kernel buffers, and a little more.
        assert len(asked_large) < asked / 2
        assert rest(connection).count(b"HTTP/1.1 200 OK\r\n") == asked


UPGRADE = b"POST /a HTTP/1.1\r\nhost: x\r\nconnection: Upgrade\r\n%b: h2c\r\n%b\r\n"
WITH_LENGTH = b"content-length: 3\r\n", b"abc"
CHUNKED = b"transfer-encoding: chunked\r\n", b"3\r\nabc\r\n0\r\n\r\n"


@pytest.mark.parametrize("name", [b"Upgrade", b"UPGRADE"])
@pytest.mark.parametrize(("framing", "body"), [WITH_LENGTH, CHUNKED])
def test_a_wish_for_another_protocol_loses_nothing_however_it_comes(
    port: int, name: bytes, framing: bytes, body: bytes
) -> None:
    wish = UPGRADE % (name, framing) + body
    with connected(port) as connection:
        connection.sendall(get(b"/before") + wish + UPGRADE % (name, b""))
        for byte in wish + wish:
            connection.sendall(bytes([byte]))
            time.sleep(0.0005)
        connection.sendall(get(b"/after", CLOSE))
        found = rest(connection)
    assert [answer.rpartition(b"\r\n")[2] for answer in found.split(b"HTTP/1.1 200 OK")[1:]] == [
        b"/before 0",
        b"/a 3",
        b"/a 0",
        b"/a 3",
        b"/a 3",
        b"/after 0",
    ]


def test_a_body_behind_such_a_wish_is_never_read_as_a_request(port: int) -> None:
    inner = get(b"/smuggled")
    with connected(port) as connection:
        connection.sendall(UPGRADE % (b"UPGRADE", b"content-length: %d\r\n" % len(inner)))
        time.sleep(0.05)
        connection.sendall(inner + get(b"/after", CLOSE))
        found = rest(connection)
    assert b"smuggled" not in found
    assert found.count(b"HTTP/1.1 200 OK\r\n") == 2


def test_who_was_not_given_leave_to_send_a_body_has_to_connect_anew(port: int) -> None:
    """What comes next could be that body, or the next request."""
    with connected(port) as connection:
        connection.sendall(b"POST /early HTTP/1.1\r\nhost: x\r\nexpect: 100-continue\r\ncontent-length: 40\r\n\r\n")
        found = rest(connection)
    assert found.startswith(b"HTTP/1.1 401 ")
    assert b"connection: close\r\n" in found


def test_old_callers_are_not_told_to_continue(port: int) -> None:
    with connected(port) as connection:
        connection.sendall(b"POST /a HTTP/1.0\r\nexpect: 100-continue\r\ncontent-length: 3\r\n\r\n")
        time.sleep(0.1)
        connection.sendall(b"abc")
        assert rest(connection).startswith(b"HTTP/1.1 200 ")


@pytest.mark.parametrize(("url", "path"), [(b"http://h/a?b", b"/a"), (b"http://h", b"/"), (b"http://h?b", b"/")])
def test_a_whole_url_is_answered_as_its_path(told: Callable[[bytes], bytes], url: bytes, path: bytes) -> None:
    assert told(get(url, CLOSE)).endswith(b"\r\n\r\n%b 0" % path)
