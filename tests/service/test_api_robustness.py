"""Whatever is sent: never a 5xx, and nothing unexpected in the log."""

from __future__ import annotations

import json
import socket
from collections.abc import Callable
from typing import Any
from urllib.parse import quote, urlsplit

import httpx
import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

PREDICT = "/v1/models/support:predict"
FEEDBACK = "/v1/models/support:feedback"
ANY_SERVER = settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
JUNK = st.binary(max_size=200) | st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=300),
    lambda inner: (
        st.lists(inner, max_size=10)
        | st.dictionaries(st.sampled_from(["instances", "items", "text", "id", "label"]) | st.text(max_size=5), inner)
    ),
    max_leaves=15,
).map(lambda value: json.dumps(value).encode())


@ANY_SERVER
@given(body=JUNK, path=st.sampled_from([PREDICT, FEEDBACK, "/predict"]))
def test_no_body_makes_the_service_fail(
    post: Callable[..., httpx.Response], shared: Any, body: bytes, path: str
) -> None:
    response = post(shared, path, body)
    assert response.status_code in (200, 202, 400, 404, 422)
    if response.status_code >= 400 and path != "/predict":
        assert response.headers["content-type"] == "application/problem+json"


@ANY_SERVER
@given(
    path=st.text(max_size=40).filter(lambda path: path not in (".", "..")),
    method=st.sampled_from(["GET", "POST", "PUT", "HEAD", "OPTIONS"]),
)
def test_no_address_makes_the_service_fail(shared: Any, path: str, method: str) -> None:
    assume(path not in (".", ".."))  # the client would take them out of the address
    response = shared.client.request(method, f"{shared.url}/v1/models/{quote(path, safe='')}")
    assert response.status_code in (400, 404, 405)


def raw(server: Any, request: bytes) -> bytes:
    parts = urlsplit(server.url)
    with socket.create_connection((parts.hostname, parts.port), timeout=20) as connection:
        connection.sendall(request)
        connection.shutdown(socket.SHUT_WR)
        return b"".join(iter(lambda: connection.recv(65536), b""))


@pytest.mark.parametrize(
    "request_bytes",
    [
        b"POST /v1/models/support:predict HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\n{",
        b"POST /v1/models/support:predict HTTP/1.1\r\nHost: x\r\nContent-Length: -5\r\n\r\n",
        b"POST /v1/models/support:predict HTTP/1.1\r\nHost: x\r\nContent-Length: 9999999999999999999999\r\n\r\n",
        b"POST /v1/models/support:predict HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
        b"\x00\x01\x02\r\n\r\n",
        b"GET / HTTP/9.9\r\n\r\n",
    ],
)
def test_broken_http_is_survived(shared: Any, request_bytes: bytes) -> None:
    answer = raw(shared, request_bytes)
    assert not answer or answer.split(b" ")[1][:1] == b"4"
    assert shared.predict("invoice").status_code == 200


def test_the_service_logged_no_failure(shared: Any) -> None:
    """Last in this file: none of the above was unexpected to the service."""
    assert "failed unexpectedly" not in shared.output()
    assert "Traceback" not in shared.output()


def test_a_hostile_list_for_the_typed_endpoint_is_answered_shortly(
    post: Callable[..., httpx.Response], shared: Any
) -> None:
    numbers = b'{"task": "support", "instances": [' + b",".join([b"1"] * 20_000) + b"]}"
    response = post(shared, "/predict", numbers)
    assert response.status_code == 400
    assert "#/instances/0" in response.json()["error"]
    assert len(response.content) < 500
