from __future__ import annotations

import contextlib
import socket
import threading
from concurrent.futures import ThreadPoolExecutor

import httpx
import pytest

from contracts.errors import SettingsError
from service.metrics import CONTENT_TYPE, ServiceMetrics
from service.metrics_server import metrics_served


def get(port: int, path: str = "/metrics", method: str = "GET") -> httpx.Response:
    return httpx.request(method, f"http://127.0.0.1:{port}{path}", timeout=30)


def test_metrics_and_nothing_else_are_answered() -> None:
    metrics = ServiceMetrics()
    metrics.requests.labels("support", "predict", "200").inc(7)
    with metrics_served("127.0.0.1", 0, metrics.render) as port:
        answer = get(port)
        assert answer.status_code == 200
        assert answer.headers["content-type"] == CONTENT_TYPE
        assert 'perennial_requests_total{code="200",route="predict",task="support"} 7.0' in answer.text
        assert get(port, "/metrics?name=x").status_code == 200
        head = get(port, method="HEAD")
        assert (head.status_code, head.content) == (200, b"")
        assert int(head.headers["content-length"]) == len(answer.content)
        for path in ("/", "/livez", "/metrics/", "/v1/models"):
            assert get(port, path).status_code == 404
        refused = get(port, method="POST")
        assert (refused.status_code, refused.headers["allow"]) == (405, "GET, HEAD")
    with pytest.raises(httpx.ConnectError):
        get(port)


def test_metrics_that_cannot_be_written_do_not_end_it() -> None:
    answers = iter([None, b"fine 1\n"])

    def render() -> bytes:
        answer = next(answers)
        if answer is None:
            raise OSError(28, "No space left on device")
        return answer

    with metrics_served("127.0.0.1", 0, render) as port:
        failed = get(port)
        assert failed.status_code == 500
        assert "space" not in failed.text
        assert get(port).text == "fine 1\n"


def test_a_port_that_is_taken_is_told() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with (
            pytest.raises(SettingsError, match=f"PERENNIAL_METRICS_PORT.*{port}"),
            metrics_served("127.0.0.1", port, bytes),
        ):
            pass


def until_hung_up(connection: socket.socket) -> bytes:
    """What comes before the other side hangs up."""
    received = b""
    try:
        while more := connection.recv(2**16):
            received += more
    except ConnectionError:
        pass
    return received


@pytest.mark.parametrize(
    "sent", [b"\r\n\r\n", b"junk\r\n\r\n", b"GET /metrics SPDY/1\r\n\r\n", b"\xff /metrics\r\n\r\n"]
)
def test_what_is_no_request_is_told(sent: bytes) -> None:
    with (
        metrics_served("127.0.0.1", 0, bytes) as port,
        socket.create_connection(("127.0.0.1", port), 30) as connection,
    ):
        connection.sendall(sent)
        assert until_hung_up(connection).startswith(b"HTTP/1.1 400 Bad Request\r\n")


def test_connections_that_say_nothing_are_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("service.metrics_server._SECONDS", 0.5)
    with metrics_served("127.0.0.1", 0, lambda: b"fine 1\n") as port:
        for sent in (b"", b"GET /metr"):
            with socket.create_connection(("127.0.0.1", port), 30) as connection:
                connection.sendall(sent)
                assert until_hung_up(connection) == b""


def test_a_head_without_end_is_given_up() -> None:
    with (
        metrics_served("127.0.0.1", 0, bytes) as port,
        socket.create_connection(("127.0.0.1", port), 30) as connection,
        contextlib.suppress(ConnectionError),
    ):
        connection.sendall(b"GET /metrics HTTP/1.1\r\nx: " + b"x" * 2**17)
        assert until_hung_up(connection) == b""


def test_whoever_asks_is_answered_while_hundreds_say_nothing_and_no_thread_is_added() -> None:
    with metrics_served("127.0.0.1", 0, lambda: b"fine 1\n") as port, contextlib.ExitStack() as silent:
        assert get(port).text == "fine 1\n"
        before = threading.active_count()
        for _ in range(400):
            silent.enter_context(socket.create_connection(("127.0.0.1", port), 30))
        assert [get(port).text for _ in range(20)] == ["fine 1\n"] * 20
        assert threading.active_count() == before


def test_who_does_not_read_its_answer_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("service.metrics_server._SECONDS", 0.5)
    long = b"x" * 2**25
    with metrics_served("127.0.0.1", 0, lambda: long) as port:
        with socket.create_connection(("127.0.0.1", port), 30) as connection:
            connection.sendall(b"GET /metrics HTTP/1.1\r\n\r\n")
            threading.Event().wait(1.5)
            assert len(until_hung_up(connection)) < len(long)
        assert get(port).content == long


def test_many_at_once_are_answered_with_one_text() -> None:
    written = 0
    begun, go_on = threading.Event(), threading.Event()

    def render() -> bytes:
        nonlocal written
        written += 1
        begun.set()
        assert go_on.wait(30)
        return b"fine 1\n"

    with metrics_served("127.0.0.1", 0, render) as port, ThreadPoolExecutor(64) as pool:
        first = pool.submit(get, port)
        assert begun.wait(30)
        others = [socket.create_connection(("127.0.0.1", port), 30) for _ in range(60)]
        for connection in others:
            connection.sendall(b"GET /metrics HTTP/1.1\r\n\r\n")
        # They are accepted in order: once this one is answered, the others wait for the text.
        assert get(port, "/nothing").status_code == 404
        go_on.set()
        assert first.result().text == "fine 1\n"
        for connection in others:
            assert until_hung_up(connection).endswith(b"\r\n\r\nfine 1\n")
            connection.close()
    assert written <= 2
