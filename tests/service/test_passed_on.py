"""The typed endpoint behind BentoML: refused, timed and given up as /v1 is."""

from __future__ import annotations

import asyncio
import json
import signal
import socket
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpx
import pytest

from contracts.home import Home
from contracts.release import Manifest
from contracts.task import LimitSpec
from service.app import build_service
from service.errors import DeadlineError, ModelOutputError, QueueFullError, RateLimitedError, StoppingError
from service.http.api import Api
from service.metrics import ServiceMetrics
from service.serving import Predicted, Serving
from service.settings import ServiceSettings

SLOW = 600  # of work: about 0.01 s a text of a few tokens
SINGLY = {"PERENNIAL_BATCH_TOKENS": "1"}
MANY = LimitSpec(max_instances=2000)


def post(url: str, texts: list[str], **headers: str) -> httpx.Response:
    return httpx.post(
        f"{url}/predict",
        json={"task": "support", "instances": texts},
        headers={name.replace("_", "-"): value for name, value in headers.items()},
        timeout=60,
    )


def send_only(url: httpx.URL, texts: list[str]) -> socket.socket:
    """A request whose answer nobody has read yet."""
    body = json.dumps({"task": "support", "instances": texts}).encode()
    connection = socket.create_connection((url.host, url.port or 0), 30)
    head = f"POST /predict HTTP/1.1\r\nHost: x\r\nContent-Length: {len(body)}\r\n\r\n"
    connection.sendall(head.encode() + body)
    return connection


def waiting(server: Any) -> float:
    return float(server.metric('perennial_queue_tokens{task="support"}'))


def counted(server: Any, code: int) -> float:
    return float(server.metric(f'perennial_requests_total{{code="{code}",route="bentoml",task=""}}'))


class FailingServing(Serving):
    """One that fails with what it is given, once a request has come as far as the network."""

    error: Exception

    async def predict(self, *_arguments: object, **_options: object) -> Predicted:
        raise self.error


def answers_to(home: Home, *errors: Exception) -> list[httpx.Response]:
    """What the typed endpoint answers where predicting fails with each error."""

    async def run() -> list[httpx.Response]:
        serving = FailingServing(ServiceSettings(home=home, poll_seconds=0.05), ServiceMetrics())
        behind: Any = build_service(lambda: serving).to_asgi()
        transport = httpx.ASGITransport(Api(behind, lambda: serving))
        answers: list[httpx.Response] = []
        async with (
            behind.router.lifespan_context(behind),
            httpx.AsyncClient(transport=transport, base_url="http://here") as client,
            asyncio.timeout(60),
        ):
            while (await client.get("/readyz")).status_code != 200:
                await asyncio.sleep(0.02)
            for serving.error in errors:
                answers.append(await client.post("/predict", json={"task": "support", "instances": ["invoice"]}))
        return answers

    return asyncio.run(run())


def test_what_is_refused_is_told_in_its_own_words(home: Home, release_served: Callable[..., Manifest]) -> None:
    release_served(home)
    refusals = [
        QueueFullError("Task support", 100, "tokens", 7),
        StoppingError(),
        DeadlineError(),
        RateLimitedError("shop", 2, 9),
    ]
    answers = answers_to(home, *refusals)
    assert [answer.json() for answer in answers] == [{"error": str(error)} for error in refusals]
    assert [answer.status_code for answer in answers] == [503, 503, 504, 429]
    assert [answer.headers.get_list("retry-after") for answer in answers] == [["7"], ["1"], [], ["9"]]


def test_what_is_unexpected_is_logged_and_says_nothing_of_its_insides(
    home: Home, release_served: Callable[..., Manifest], caplog: pytest.LogCaptureFixture
) -> None:
    release_served(home)
    defects = [ModelOutputError("the insides"), ValueError("the insides")]
    for answer in answers_to(home, *defects):
        assert answer.status_code == 500
        assert "insides" not in answer.text
        assert "log" in answer.json()["error"]
    assert [record.exc_info[1] for record in caplog.records if record.exc_info] == defects


def test_refusals_are_always_one_object(shared: Any) -> None:
    for body, status, said in (
        ({"task": "nobody", "instances": ["invoice"]}, 404, "There is no task 'nobody'"),
        ({"task": "support", "instances": [" ", "invoice", ""]}, 422, "#/instances/2: Expected a text"),
        ({"task": "support", "instances": [1]}, 400, "#/instances/0"),
        ({"task": "broken", "instances": ["invoice"]}, 503, "Task broken is not served yet: "),
        ({"instances": ["invoice"]}, 400, "validation error"),
    ):
        answer = shared.client.post(f"{shared.url}/predict", json=body)
        assert answer.status_code == status
        assert said in answer.json()["error"]
        assert "see `errors`" not in answer.text, "there are none"
        assert answer.headers["content-type"] == "application/json"
        assert ("retry-after" in answer.headers) == (status == 503)


def test_a_request_says_how_long_it_waits(
    home: Home, start_server: Callable[..., Any], release_served: Callable[..., Manifest]
) -> None:
    release_served(home, work=SLOW, limits=MANY)
    server = start_server(home, environment=SINGLY)
    late = post(server.url, [f"invoice {number}" for number in range(200)], x_request_timeout_ms="150")
    assert late.status_code == 504
    assert "X-Request-Timeout-Ms" in late.json()["error"]
    refused = post(server.url, ["invoice"], x_request_timeout_ms="soon")
    assert (refused.status_code, list(refused.json())) == (400, ["error"])
    assert "X-Request-Timeout-Ms" in refused.json()["error"]
    assert post(server.url, ["invoice"], x_request_timeout_ms="30000").status_code == 200
    assert [counted(server, code) for code in (200, 400, 504)] == [1, 1, 1]


def test_callers_that_hang_up_leave_their_places_to_others(
    home: Home, start_server: Callable[..., Any], release_served: Callable[..., Manifest]
) -> None:
    release_served(home, work=SLOW, limits=MANY)
    server = start_server(home, environment={**SINGLY, "PERENNIAL_QUEUE_TOKENS": "3000"})
    url = httpx.URL(server.url)
    # Four tokens a text: one request runs, and three times 225 texts fill the queue but for 300 tokens.
    texts = [f"invoice {number}" for number in range(225)]
    connections = [send_only(url, texts)]
    server.wait_for(lambda: waiting(server) > 0, "the first waits")
    connections += [send_only(url, texts) for _ in range(2)]
    server.wait_for(lambda: waiting(server) > 2 * 4 * 225, "all three wait")
    refused = post(server.url, texts)
    assert refused.status_code == 503
    assert "there is no room for this request" in refused.json()["error"]
    assert int(refused.headers["retry-after"]) >= 1
    for connection in connections:
        connection.close()
    server.wait_for(lambda: counted(server, 499) == len(connections), "they are counted")
    server.wait_for(lambda: waiting(server) == 0, "their places are free")
    assert server.metric('perennial_batch_size_sum{task="support"}') < 225 * 3, "hardly anything was run for them"
    assert post(server.url, ["invoice"]).status_code == 200
    assert (counted(server, 200), counted(server, 500)) == (1, 0)
    assert "Traceback" not in server.output()
    assert "ERROR" not in server.output()


def test_a_drain_ends_at_its_bound_and_says_so_to_whoever_waits(
    home: Home, start_server: Callable[..., Any], release_served: Callable[..., Manifest]
) -> None:
    release_served(home, work=SLOW, limits=MANY)
    server = start_server(home, environment={**SINGLY, "PERENNIAL_DRAIN_SECONDS": "1"})
    with ThreadPoolExecutor(1) as threads:
        request = threads.submit(post, server.url, ["invoice please"] * 2000)  # about twenty seconds
        server.wait_for(lambda: waiting(server) > 0, "it waits")
        assert server.end(signal.SIGTERM) == 0
        answer = request.result()
    assert (answer.status_code, answer.json()) == (503, {"error": str(StoppingError())})
    assert answer.headers["retry-after"] == "1"
    assert "Traceback" not in server.output()
