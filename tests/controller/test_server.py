"""Messages that are no alerts, and alerts that are nobody's: always an answer that says what was wrong."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from typing import Any

import httpx
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from starlette.applications import Starlette

from contracts.home import Home
from contracts.metrics import ALERTS, DECISIONS, JOB_RUNNING
from contracts.task import RetrainSpec
from controller.gauges import ControllerMetrics
from controller.record import read_decisions
from controller.server import MAX_BODY, build_app

NOW = 1_800_000_000.0


@pytest.fixture
def woken() -> list[bool]:
    return []


class Client:
    """Requests to the app without a socket; what the app raises reaches the test."""

    def __init__(self, app: Starlette) -> None:
        self._app = app

    def post(self, path: str, **given: Any) -> httpx.Response:
        return asyncio.run(self._send("POST", path, **given))

    def get(self, path: str) -> httpx.Response:
        return asyncio.run(self._send("GET", path))

    async def _send(self, method: str, path: str, **given: Any) -> httpx.Response:
        transport = httpx.ASGITransport(self._app)
        async with httpx.AsyncClient(transport=transport, base_url="http://controller") as client:
            return await client.request(method, path, **given)


@pytest.fixture
def client(home: Home, woken: list[bool]) -> Client:
    return Client(
        build_app(home, ControllerMetrics(), now=lambda: NOW, wake=lambda: woken.append(True), trouble=lambda: "")
    )


def good(**changes: Any) -> dict[str, Any]:
    alert = {
        "status": "firing",
        "labels": {"alertname": "PerennialDrift", "task": "support"},
        "startsAt": "2027-01-15T08:00:00Z",
    }
    return {"version": "4", "status": "firing", "alerts": [alert | changes]}


@pytest.mark.parametrize(
    ("body", "status"),
    [
        (b"", 400),
        (b"{", 400),
        (b"\xff\xfe", 400),
        (b'{"a": "\\ud800"}', 400),
        (b"[" * 100_000, 400),
        (b"null", 422),
        (b"[]", 422),
        (b"{}", 422),
        (b'{"version": "3", "status": "firing", "alerts": []}', 422),
        (json.dumps(good(status="maybe")).encode(), 422),
        (json.dumps(good(labels=["x"])).encode(), 422),
        (json.dumps(good(labels={"task": 1})).encode(), 422),
        (json.dumps(good(startsAt="yesterday")).encode(), 422),
        (json.dumps(good(startsAt="2027-01-15T08:00:00")).encode(), 422),
        (json.dumps(good(startsAt="0001-01-01T00:00:00+14:00")).encode(), 422),
        (b" " * (MAX_BODY + 1), 413),
    ],
)
def test_malformed_messages_are_refused_with_a_problem(client: Client, body: bytes, status: int) -> None:
    answer = client.post("/alerts", content=body)
    assert answer.status_code == status
    assert answer.headers["content-type"] == "application/problem+json"
    problem = answer.json()
    assert problem["status"] == status
    assert problem["detail"]


@pytest.mark.parametrize(
    ("labels", "kind"),
    [
        ({"alertname": "HighLatency", "task": "support"}, "foreign_alert"),
        ({}, "foreign_alert"),
        ({"alertname": "PerennialDrift"}, "unknown_task"),
        ({"alertname": "PerennialDrift", "task": "nobody"}, "unknown_task"),
        ({"alertname": "PerennialDrift", "task": "../../etc"}, "unknown_task"),
        ({"alertname": "PerennialDrift", "task": "support\n"}, "unknown_task"),
    ],
)
def test_alerts_that_are_nobodys_are_ignored_and_not_recorded(
    client: Client, home: Home, labels: dict[str, str], kind: str
) -> None:
    home.releases("support").mkdir(parents=True)
    answer = client.post("/alerts", json=good(labels=labels))
    assert answer.status_code == 202
    assert [(found["action"], found["kind"]) for found in answer.json()["decisions"]] == [("ignore", kind)]
    assert read_decisions(home) == []


def test_a_task_without_a_champion_waits(client: Client, home: Home) -> None:
    home.releases("support").mkdir(parents=True)
    assert client.post("/alerts", json=good()).json()["decisions"][0]["kind"] == "no_champion"
    home.rollout("support").write_text("{")
    answer = client.post("/alerts", json=good()).json()["decisions"][0]
    assert answer["kind"] == "no_champion"
    assert "rollout" in answer["reason"]


def test_the_same_wait_is_recorded_once_and_decided_anew_each_time(
    client: Client, troubled: Callable[..., Home], write_log: Any, woken: list[bool]
) -> None:
    home = troubled(retrain=RetrainSpec(min_new_labels=100))
    for _ in range(3):
        assert client.post("/alerts", json=good()).json()["decisions"][0]["kind"] == "few_labels"
    assert [found.kind for found in read_decisions(home)] == ["few_labels"]
    assert not woken
    write_log(home, rows=40, labelled=40, name="more", texts=lambda number: f"paisa {number}")
    assert client.post("/alerts", json=good()).json()["decisions"][0]["action"] == "retrain"
    assert client.post("/alerts", json=good()).json()["decisions"][0]["kind"] == "duplicate"
    assert [found.action for found in read_decisions(home)] == ["wait", "retrain", "ignore"]
    assert woken == [True]


def test_feedback_that_cannot_be_used_is_not_counted_as_labels(client: Client, troubled: Callable[..., Home]) -> None:
    troubled(digest=True)
    decision = client.post("/alerts", json=good()).json()["decisions"][0]
    assert decision["kind"] == "few_labels"
    assert "0 have come" in decision["reason"]
    assert "60 hold only a digest" in decision["reason"]


def test_a_home_that_cannot_be_written_to_gets_the_alert_again(client: Client, troubled: Any) -> None:
    home = troubled()
    home.controller().write_text("a file where a folder belongs")
    answer = client.post("/alerts", json=good())
    assert answer.status_code == 503
    assert answer.headers["retry-after"]
    assert not home.requests("support").exists()


@pytest.mark.parametrize("query", ["task=..", "limit=0", "limit=-1", "limit=x", "limit=99999", "task="])
def test_decisions_with_unusable_parameters(client: Client, query: str) -> None:
    answer = client.get(f"/v1/decisions?{query}")
    assert answer.status_code == 400
    assert answer.headers["content-type"] == "application/problem+json"


def test_unknown_paths_and_methods_are_problems_too(client: Client) -> None:
    assert client.get("/nothing").status_code == 404
    wrong = client.get("/alerts")
    assert wrong.status_code == 405
    assert wrong.headers["content-type"] == "application/problem+json"
    assert client.get("/v1/decisions").json() == {"decisions": []}


def test_not_ready_says_why(home: Home) -> None:
    app = build_app(home, ControllerMetrics(), now=lambda: NOW, wake=lambda: None, trouble=lambda: "disk full")
    answer = Client(app).get("/readyz")
    assert (answer.status_code, answer.json()["detail"]) == (503, "disk full")


def test_metric_names_are_the_contracts() -> None:
    metrics = ControllerMetrics()
    metrics.count_alert("firing")
    metrics.count_decision("support", "wait")
    metrics.show_running(["support"], set())
    text = metrics.expose().decode()
    for name in (f"{ALERTS}_total{{", f"{DECISIONS}_total{{", f"{JOB_RUNNING}{{"):
        assert f"\n{name}" in text


json_values = st.recursive(
    st.none() | st.booleans() | st.floats(allow_nan=False) | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=10), inner, max_size=4),
    max_leaves=12,
)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.one_of(
        st.binary(max_size=80),
        json_values.map(lambda value: json.dumps(value).encode()),
        st.builds(
            lambda key, value: json.dumps(good(**{key: value})).encode(),
            st.sampled_from(["status", "labels", "startsAt", "annotations", "fingerprint"]),
            json_values,
        ),
        st.text(max_size=30).map(lambda text: json.dumps(good(startsAt=text)).encode()),
    )
)
def test_no_body_is_answered_with_a_server_error(client: Client, home: Home, body: bytes) -> None:
    home.releases("support").mkdir(parents=True, exist_ok=True)
    assert client.post("/alerts", content=body).status_code in (202, 400, 422)
