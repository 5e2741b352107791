from __future__ import annotations

import http.client
import socket
import threading

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
        assert get(port, method="POST").status_code == 501
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
    """Sends half a request; what comes before the other side hangs up."""
    try:
        connection.sendall(b"GET /metr")
        return connection.recv(100)
    except ConnectionError:
        return b""


def test_connections_that_say_nothing_hold_a_bounded_number_of_threads_and_not_for_ever(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("service.metrics_server._SECONDS", 0.5)
    with metrics_served("127.0.0.1", 0, lambda: b"fine 1\n") as port:
        before = threading.active_count()
        silent = [socket.create_connection(("127.0.0.1", port), 30) for _ in range(12)]
        for connection in silent:
            assert until_hung_up(connection) == b""
        assert threading.active_count() <= before + 20
        for connection in silent:
            connection.close()
        never = threading.Event()
        for _ in range(1000):
            try:
                assert get(port).text == "fine 1\n"
                break
            except (httpx.TransportError, http.client.HTTPException):
                never.wait(0.02)
        else:
            pytest.fail("nobody is answered any more")
