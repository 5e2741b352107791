"""Keys, limits, traces and connections of a real service, over real HTTP."""

from __future__ import annotations

import os
import signal
import socket
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import pytest

from contracts.home import Home
from contracts.release import Manifest

ALICE = "alice-secret-0123456789"
BOB = "bob-secret-0123456789-bob"
KEY = {"authorization": f"Bearer {ALICE}"}
OPEN = ("/livez", "/healthz", "/readyz", "/v2/health/live", "/v2/health/ready")
CLOSED = (
    "/v1/models", "/v1/models/support", "/v1/models/none", "/metrics", "/", "/docs", "/docs.json", "/openapi.json",
    "/v2", "/v2/models/support", "/healthz/", "/livez/", "/v1", "/nothing", "//livez", "/%6c%69vez/..",
)  # fmt: skip
TEXT = {"instances": ["my invoice"]}


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as found:
        number: int = found.getsockname()[1]
        return number


@pytest.fixture
def served(home: Home, release_served: Callable[..., Manifest], start_server: Callable[..., Any]) -> Callable[..., Any]:
    release_served(home)
    return lambda **environment: start_server(home, environment=environment)


@pytest.mark.parametrize("workers", ["1", "2"])
def test_everything_but_the_probes_needs_a_key_and_none_is_ever_shown(served: Callable[..., Any], workers: str) -> None:
    server = served(PERENNIAL_API_KEYS=f"alice:{ALICE}, bob:{BOB}", PERENNIAL_WORKERS=workers)
    for path in OPEN:
        assert server.get(path).status_code == 200, path
    for path in CLOSED:
        for headers in ({}, {"authorization": f"Bearer {ALICE}x"}, {"x-api-key": "x"}):
            refused = server.client.get(server.url + path, headers=headers)
            assert refused.status_code == 401, path
            assert refused.headers["www-authenticate"].startswith("Bearer")
            assert ALICE not in refused.text
    problem = server.get("/v1/models").json()
    assert problem["type"] == "urn:perennial:problem:unauthorized"
    assert problem["instance"] == "/v1/models"
    assert "found none. " in problem["detail"]
    basic = server.client.get(server.url + "/v1/models", headers={"authorization": f"Basic {ALICE}"})
    assert "found none, but an Authorization of another scheme. " in basic.json()["detail"]
    for headers in (KEY, {"x-api-key": BOB}):
        for path in ("/v1/models", "/metrics", "/docs", "/v2/models/support"):
            assert server.client.get(server.url + path, headers=headers).status_code == 200, path
        for path, body in (
            ("/v1/models/support:predict", TEXT),
            ("/predict", {"task": "support", **TEXT}),
            ("/v2/models/support/infer", {"inputs": [v2_input()]}),
        ):
            assert server.client.post(server.url + path, json=body).status_code == 401
            answer = server.client.post(server.url + path, json=body, headers=headers)
            assert answer.status_code == 200, answer.text
    for process in family(server.process.pid):
        assert ALICE not in Path(f"/proc/{process}/cmdline").read_text()
    [_, *children] = family(server.process.pid)
    assert len(children) == (2 if workers == "2" else 0)
    assert all(ALICE not in Path(f"/proc/{child}/environ").read_text() for child in children)
    assert server.end(signal.SIGTERM) == 0
    assert ALICE not in server.output()
    assert BOB not in server.output()


def v2_input() -> dict[str, object]:
    return {"name": "text", "shape": [1], "datatype": "BYTES", "data": ["my invoice"]}


def family(parent: int) -> list[int]:
    found = [parent]
    for status in Path("/proc").glob("[0-9]*/stat"):
        try:
            if int(status.read_text().rpartition(")")[2].split()[1]) == parent:
                found.append(int(status.parent.name))
        except (FileNotFoundError, ProcessLookupError):
            continue
    return found


def test_a_body_is_not_read_for_a_stranger(served: Callable[..., Any]) -> None:
    server = served(PERENNIAL_API_KEYS=f"alice:{ALICE}")
    with socket.create_connection(("127.0.0.1", httpx.URL(server.url).port), 30) as connection:
        connection.sendall(b"POST /v1/models/support:predict HTTP/1.1\r\nhost: x\r\ncontent-length: 4000000\r\n\r\n")
        assert connection.recv(1000).startswith(b"HTTP/1.1 401 ")


@pytest.mark.parametrize("workers", ["1", "2"])
def test_keys_are_rotated_in_every_worker_and_a_bad_file_is_shown(
    served: Callable[..., Any], tmp_path: Path, workers: str
) -> None:
    path = tmp_path / "keys"
    path.write_text(f"alice:{ALICE}\n")
    server = served(PERENNIAL_API_KEYS_FILE=str(path), PERENNIAL_WORKERS=workers)

    def statuses(secret: str) -> set[int]:
        # A connection each, so that every worker is asked.
        headers = {"x-api-key": secret, "connection": "close"}
        return {server.client.get(f"{server.url}/v1/models", headers=headers).status_code for _ in range(12)}

    assert (statuses(ALICE), statuses(BOB)) == ({200}, {401})
    replace(path, f"bob:{BOB}\n")
    server.wait_for(lambda: (statuses(ALICE), statuses(BOB)) == ({401}, {200}), "the new key is in force")
    replace(path, "junk\n")

    def stale() -> bool:
        metrics = server.client.get(f"{server.url}/metrics", headers={"x-api-key": BOB}).text
        return "perennial_api_keys_stale 1.0" in metrics

    server.wait_for(stale, "the bad file is shown")
    assert (statuses(ALICE), statuses(BOB)) == ({401}, {200})
    replace(path, f"alice:{ALICE}\nbob:{BOB}\n")
    server.wait_for(lambda: (statuses(ALICE), statuses(BOB)) == ({200}, {200}), "the mended file is in force")
    server.wait_for(lambda: not stale(), "all is well again")


def replace(path: Path, content: str) -> None:
    staged = path.with_name("staged")
    staged.write_text(content)
    os.utime(staged, (0, 0))
    staged.replace(path)


@pytest.mark.parametrize("content", [None, "", "# none\n", f"{ALICE}\n"])
def test_a_service_that_wants_keys_and_has_none_does_not_start(
    home: Home, tmp_path: Path, start_server: Callable[..., Any], content: str | None
) -> None:
    path = tmp_path / "keys"
    if content is not None:
        path.write_text(content)
    with pytest.raises(AssertionError, match="ended") as caught:
        start_server(home, environment={"PERENNIAL_API_KEYS_FILE": str(path), "PERENNIAL_WORKERS": "2"})
    assert str(path) in str(caught.value)
    assert ALICE not in str(caught.value)


def test_texts_beyond_the_rate_are_refused_for_each_key_on_every_route(served: Callable[..., Any]) -> None:
    server = served(
        PERENNIAL_API_KEYS=f"alice:{ALICE}, bob:{BOB}", PERENNIAL_RATE_LIMIT="0.001", PERENNIAL_RATE_BURST="5"
    )

    def predict(secret: str, texts: int) -> httpx.Response:
        body = {"instances": ["my invoice"] * texts}
        url = f"{server.url}/v1/models/support:predict"
        return server.client.post(url, json=body, headers={"x-api-key": secret})

    assert predict(ALICE, 3).status_code == 200
    assert predict(ALICE, 2).status_code == 200
    refused = predict(ALICE, 1)
    assert refused.status_code == 429
    assert refused.json()["type"] == "urn:perennial:problem:rate-limited"
    assert 900 <= int(refused.headers["retry-after"]) <= 1000
    for path, body in (
        ("/predict", {"task": "support", **TEXT}),
        ("/v2/models/support/infer", {"inputs": [v2_input()]}),
    ):
        other = server.client.post(server.url + path, json=body, headers=KEY)
        assert other.status_code == 429, path
        assert int(other.headers["retry-after"]) >= 1
    assert server.client.get(f"{server.url}/v1/models", headers=KEY).status_code == 200, "only texts are counted"
    assert predict(BOB, 50).status_code == 200, "more than the burst passes when nothing is owed"
    assert predict(BOB, 1).status_code == 429


@pytest.mark.parametrize("workers", ["1", "2"])
def test_metrics_have_a_port_of_their_own_without_keys(served: Callable[..., Any], workers: str) -> None:
    port = free_port()
    server = served(PERENNIAL_API_KEYS=f"alice:{ALICE}", PERENNIAL_METRICS_PORT=str(port), PERENNIAL_WORKERS=workers)
    for _ in range(20):
        headers = {**KEY, "connection": "close"}
        url = f"{server.url}/v1/models/support:predict"
        assert server.client.post(url, json=TEXT, headers=headers).status_code == 200
    metrics = httpx.get(f"http://127.0.0.1:{port}/metrics").text
    assert 'perennial_requests_total{code="200",route="predict",task="support"} 20.0' in metrics, "of all workers"
    refused = server.client.get(f"{server.url}/metrics", headers=KEY)
    assert refused.status_code == 404
    assert str(port) in refused.json()["detail"]
    assert httpx.get(f"http://127.0.0.1:{port}/v1/models").status_code == 404
    assert server.end(signal.SIGTERM) == 0
    with pytest.raises(httpx.ConnectError):
        httpx.get(f"http://127.0.0.1:{port}/metrics")


def test_a_port_for_metrics_that_is_taken_ends_the_start(home: Home, start_server: Callable[..., Any]) -> None:
    for workers in ("1", "2"):
        with socket.create_server(("127.0.0.1", 0)) as taken:
            port = str(taken.getsockname()[1])
            with pytest.raises(AssertionError, match="ended") as caught:
                start_server(home, environment={"PERENNIAL_METRICS_PORT": port, "PERENNIAL_WORKERS": workers})
        assert "PERENNIAL_METRICS_PORT: expected a free port of this machine at 127.0.0.1" in str(caught.value)


def test_a_head_that_does_not_come_is_given_up_by_the_service(served: Callable[..., Any]) -> None:
    server = served(PERENNIAL_HEAD_SECONDS="0.5")
    with socket.create_connection(("127.0.0.1", httpx.URL(server.url).port), 30) as connection:
        connection.sendall(b"GET /livez HTTP/1.1\r\nhost: x\r\n")
        assert connection.recv(1000).startswith(b"HTTP/1.1 408 ")
    assert server.get("/livez").status_code == 200


def test_stopping_does_not_wait_for_idle_connections(served: Callable[..., Any]) -> None:
    server = served(PERENNIAL_DRAIN_SECONDS="3000")
    port = httpx.URL(server.url).port
    idle = [socket.create_connection(("127.0.0.1", port), 30) for _ in range(5)]
    for connection in idle[:2]:
        connection.sendall(b"GET /livez HTTP/1.1\r\nhost: x\r\n\r\n")
        assert connection.recv(1000).startswith(b"HTTP/1.1 200 ")
    assert server.end(signal.SIGTERM) == 0
    for connection in idle:
        connection.close()
