"""Limits over real HTTP, on a model so slow that what waits, runs and is dropped can be told apart."""

from __future__ import annotations

import json
import signal
import socket
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from http.client import HTTPResponse
from typing import Any

import httpx
import psutil

from contracts.home import Home
from contracts.log import Cursor, read_new
from contracts.records import PredictionRecord
from contracts.release import Manifest
from contracts.task import LimitSpec

SLOW = 3000  # of work: about 0.05 s a text of a few tokens
# One text a run, so that a request of many texts is as many runs.
SINGLY = {"PERENNIAL_BATCH_TOKENS": "1"}
MANY = LimitSpec(max_instances=2000)


def post(url: str, texts: list[str], task: str = "support", **headers: str) -> httpx.Response:
    return httpx.post(
        f"{url}/v1/models/{task}:predict",
        json={"instances": texts},
        headers={name.replace("_", "-"): value for name, value in headers.items()},
        timeout=60,
    )


def texts_run(server: Any) -> float:
    return float(server.metric('perennial_batch_size_sum{task="support"}'))


def waiting(server: Any) -> float:
    return float(server.metric('perennial_queue_tokens{task="support"}'))


def send_only(url: httpx.URL, texts: list[str]) -> socket.socket:
    """A request whose answer nobody has read yet."""
    body = json.dumps({"instances": texts}).encode()
    connection = socket.create_connection((url.host, url.port or 0), 30)
    head = f"POST /v1/models/support:predict HTTP/1.1\r\nHost: x\r\nContent-Length: {len(body)}\r\n\r\n"
    connection.sendall(head.encode() + body)
    return connection


def accept(url: httpx.URL, texts: list[str]) -> tuple[socket.socket, bytes]:
    """A connection of which a worker has begun to read the request, and the body that it waits for."""
    body = json.dumps({"instances": texts}).encode()
    connection = socket.create_connection((url.host, url.port or 0), 30)
    head = "POST /v1/models/support:predict HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\n"
    connection.sendall(f"{head}Content-Length: {len(body)}\r\n\r\n".encode())
    assert connection.recv(1000).startswith(b"HTTP/1.1 100 ")
    return connection, body


def response_of(connection: socket.socket) -> tuple[int, dict[str, Any]]:
    with connection, HTTPResponse(connection) as response:
        response.begin()
        return response.status, json.loads(response.read())


def logged(home: Home, task: str = "support") -> list[PredictionRecord]:
    return list(read_new(home.predictions(task), PredictionRecord, Cursor()))


def test_a_deadline_answers_504_and_drops_what_still_waits(
    home: Home, start_server: Callable[..., Any], release_served: Callable[..., Manifest]
) -> None:
    release_served(home, work=SLOW)
    server = start_server(home, environment={**SINGLY, "PERENNIAL_DEADLINE_SECONDS": "0.5"})
    texts = [f"invoice {number}" for number in range(40)]  # about two seconds
    by_setting = post(server.url, texts)
    by_header = post(server.url, texts, x_request_timeout_ms="150")
    more_than_allowed = post(server.url, texts, x_request_timeout_ms="600000")
    for answer in (by_setting, by_header, more_than_allowed):
        assert (answer.status_code, answer.json()["type"]) == (504, "urn:perennial:problem:deadline-exceeded")
    server.wait_for(lambda: waiting(server) == 0, "nothing waits")
    assert post(server.url, ["invoice"]).status_code == 200
    assert 1 <= texts_run(server) < 3 * len(texts) - 20
    assert server.metric('perennial_requests_total{code="504",route="predict",task="support"}') == 3
    refused = post(server.url, ["invoice"], x_request_timeout_ms="soon")
    assert (refused.status_code, refused.json()["type"]) == (400, "urn:perennial:problem:invalid-header")
    server.end(signal.SIGTERM)
    assert [record.text for record in logged(home)] == ["invoice"], "what was not answered is not in the log"


def test_callers_that_hang_up_leave_their_places_to_others(
    home: Home, start_server: Callable[..., Any], release_served: Callable[..., Manifest]
) -> None:
    release_served(home, work=SLOW, limits=MANY)
    server = start_server(home, environment={**SINGLY, "PERENNIAL_QUEUE_TOKENS": "600"})
    url = httpx.URL(server.url)
    # Four tokens a text: one request runs, and three times 45 texts fill the queue but for 60 tokens.
    texts = [f"invoice {number}" for number in range(45)]
    connections = [send_only(url, texts)]
    server.wait_for(lambda: waiting(server) > 0, "the first waits")
    connections += [send_only(url, texts) for _ in range(2)]
    server.wait_for(lambda: waiting(server) > 2 * 4 * 45, "all three wait")
    refused = post(server.url, texts)
    assert (refused.status_code, refused.json()["type"]) == (503, "urn:perennial:problem:queue-full")
    assert int(refused.headers["retry-after"]) >= 1
    for connection in connections:
        connection.close()
    server.wait_for(lambda: post(server.url, ["invoice"] * 45).status_code == 200, "their places are free")
    gone = 'perennial_requests_total{code="499",route="predict",task="support"}'
    assert server.metric(gone) == len(connections)
    assert texts_run(server) < 45 * 3, "hardly anything was run for them"
    server.end(signal.SIGTERM)
    assert len(logged(home)) == 45


def test_a_flooded_task_leaves_the_others_alone(
    home: Home, start_server: Callable[..., Any], release_served: Callable[..., Manifest]
) -> None:
    release_served(home, work=SLOW, limits=MANY)
    release_served(home, "orders")
    server = start_server(home, environment={**SINGLY, "PERENNIAL_QUEUE_TOKENS": "200"})
    with ThreadPoolExecutor(1) as threads:
        flood = threads.submit(post, server.url, ["invoice please"] * 80)
        server.wait_for(lambda: waiting(server) > 100, "the queue of one task is full")
        assert post(server.url, ["invoice"] * 60).status_code == 503
        answers = [post(server.url, ["courier"] * 5, task="orders") for _ in range(3)]
        assert [answer.status_code for answer in answers] == [200] * 3
        assert not flood.done(), "they did not wait for the others' texts"
        assert flood.result().status_code == 200


def test_sigterm_under_load_answers_what_waits_and_takes_no_more(
    home: Home, start_server: Callable[..., Any], release_served: Callable[..., Manifest]
) -> None:
    release_served(home, work=SLOW)
    server = start_server(home, environment={**SINGLY, "PERENNIAL_WORKERS": "2"})
    parent = psutil.Process(server.process.pid)
    server.wait_for(lambda: server.output().count("answers from now on") == 2, "both workers are ready")
    workers = parent.children()
    accepted = [accept(httpx.URL(server.url), [f"invoice {number}"] * 5) for number in range(8)]
    for connection, body in accepted:
        connection.sendall(body)
    server.wait_for(lambda: waiting(server) > 0, "some wait")
    server.process.send_signal(signal.SIGTERM)
    answers = [response_of(connection) for connection, _ in accepted]
    assert [status for status, _ in answers] == [200] * 8
    assert server.process.wait(60) == 0
    assert not any(worker.is_running() for worker in workers)
    with socket.socket() as probe:
        url = httpx.URL(server.url)
        assert probe.connect_ex((url.host, url.port)) != 0
    answered = [one["id"] for _, answer in answers for one in answer["predictions"]]
    assert sorted(record.id for record in logged(home)) == sorted(answered)
    assert "failed" not in server.output()


def test_a_drain_ends_at_its_bound_and_says_so_to_whoever_waits(
    home: Home, start_server: Callable[..., Any], release_served: Callable[..., Manifest]
) -> None:
    release_served(home, work=SLOW, limits=MANY)
    server = start_server(home, environment={**SINGLY, "PERENNIAL_DRAIN_SECONDS": "1"})
    with ThreadPoolExecutor(1) as threads:
        request = threads.submit(post, server.url, ["invoice please"] * 600)  # about half a minute
        server.wait_for(lambda: waiting(server) > 0, "it waits")
        assert server.end(signal.SIGTERM) == 0
        answer = request.result()
    assert (answer.status_code, answer.json()["type"]) == (503, "urn:perennial:problem:stopping")
    assert int(answer.headers["retry-after"]) >= 1
    assert "Traceback" not in server.output()
