"""Every route over HTTP, and every bad input: a 4xx problem that says what to do, never a 5xx."""

from __future__ import annotations

import json
import socket
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlsplit

import httpx
import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st
from prometheus_client.parser import text_string_to_metric_families

from cli.main import main
from contracts import metrics as names

PREDICT = "/v1/models/support:predict"
FEEDBACK = "/v1/models/support:feedback"
ANY_SERVER = settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


def post(server: Any, path: str, content: bytes, kind: str | None = "application/json") -> httpx.Response:
    headers = {} if kind is None else {"content-type": kind}
    return server.client.post(server.url + path, content=content, headers=headers)


def assert_problem(response: httpx.Response, status: int, name: str) -> dict[str, Any]:
    assert response.status_code == status, response.text
    assert response.headers["content-type"] == "application/problem+json"
    problem = response.json()
    assert problem["type"] == f"urn:perennial:problem:{name}"
    assert problem["status"] == status
    assert problem["title"]
    assert problem["detail"]
    assert problem["instance"] == response.request.url.raw_path.decode()
    assert "Traceback" not in response.text
    return problem


def test_predictions_come_in_order_with_one_version(shared: Any) -> None:
    response = shared.predict("my invoice", "the courier is late", "hello")
    assert response.status_code == 200
    body = response.json()
    assert set(body) == {"predictions", "model_version"}
    assert body["model_version"] == "0001"
    assert [one["label"] for one in body["predictions"]] == ["billing", "delivery", "other"]
    assert all(set(one) == {"id", "label", "score"} and 0.5 < one["score"] <= 1 for one in body["predictions"])
    assert len({one["id"] for one in body["predictions"]}) == 3


def test_both_forms_of_an_instance_and_a_missing_content_type(shared: Any) -> None:
    body = json.dumps({"instances": ["invoice", {"text": "parcel"}]}).encode()
    response = post(shared, PREDICT, body, kind=None)
    assert [one["label"] for one in response.json()["predictions"]] == ["billing", "delivery"]


def test_each_task_has_its_own_model(shared: Any) -> None:
    assert shared.predict("money", task="orders").json()["predictions"][0]["label"] == "paid"


def test_a_text_longer_than_the_model_reads_is_cut_and_answered(shared: Any) -> None:
    assert shared.predict("invoice " * 24).json()["predictions"][0]["label"] == "billing"


def test_feedback_is_accepted_and_may_be_sent_again(shared: Any) -> None:
    found = shared.predict("invoice", "parcel").json()["predictions"]
    for _ in range(2):
        response = shared.feedback(*[(one["id"], one["label"]) for one in found])
        assert (response.status_code, response.json()) == (202, {"accepted": 2})


def test_models_are_listed_and_shown(shared: Any) -> None:
    listed = {model["name"]: model for model in shared.get("/v1/models").json()["models"]}
    assert set(listed) == {"support", "orders", "broken"}
    assert listed["support"] == {"name": "support", "kind": "classification", "version": "0001", "state": "serving"}
    assert listed["broken"]["state"] == "unavailable"
    shown = shared.get("/v1/models/support").json()
    assert shown["labels"] == ["billing", "delivery", "other"]
    assert shown["limits"] == {"max_instances": 8, "max_text_chars": 200, "long_texts": "refuse", "max_tokens": 32}
    assert shown["metrics"] == {"accuracy": 0.95}
    trials = {"canary": None, "canary_share": 0.0, "shadow": None, "shadow_share": 1.0}
    assert shown["rollout"] == {"generation": 1, "stable": "0001", **trials}
    assert shown["problem"] is None
    assert "promote" in shared.get("/v1/models/broken").json()["problem"]


def test_health(shared: Any) -> None:
    assert shared.get("/livez").status_code == 200
    # `broken` was never promoted, so nobody expects it to answer.
    assert shared.get("/readyz").status_code == 200
    assert shared.client.head(shared.url + "/readyz").status_code == 200


def test_metrics_hold_our_names_only_and_count(shared: Any) -> None:
    before = shared.metric('perennial_requests_total{code="200",route="predict",task="support"}')
    shared.predict("invoice", "parcel")
    assert shared.metric('perennial_requests_total{code="200",route="predict",task="support"}') == before + 1
    assert shared.metric('perennial_release_info{release="0001",role="stable",task="support"}') == 1
    assert shared.metric('perennial_queue_tokens{task="support"}') == 0
    families = list(text_string_to_metric_families(shared.get("/metrics").text))
    assert {family.name for family in families} <= set(names.ALL)
    assert {names.REQUESTS, names.REQUEST_SECONDS, names.PREDICTIONS, names.BATCH_SIZE, names.BATCH_TOKENS} <= {
        family.name for family in families
    }


def test_names_made_up_by_callers_make_no_time_series(shared: Any) -> None:
    for number in range(5):
        shared.predict("x", task=f"made-up-{number}")
        shared.get(f"/v1/{number}")
    assert "made-up" not in shared.get("/metrics").text


def test_bentoml_answers_behind(shared: Any) -> None:
    assert "/predict" in shared.get("/docs.json").json()["paths"]
    answer = shared.client.post(shared.url + "/predict", json={"task": "support", "instances": ["invoice"]})
    assert answer.json()["predictions"][0]["label"] == "billing"
    assert answer.json()["model_version"] == "0001"
    refused = shared.client.post(shared.url + "/predict", json={"task": "support", "instances": [" "]})
    assert refused.status_code == 422
    assert shared.client.post(shared.url + "/predict", json={"task": "nope", "instances": ["x"]}).status_code == 404


@pytest.mark.parametrize(
    ("body", "status", "name"),
    [
        (b"{", 400, "malformed-json"),
        (b"", 400, "malformed-json"),
        (b"\xff\xfe\x00", 400, "malformed-json"),
        (b"[" * 50_000, 400, "malformed-json"),
        (b'{"instances":' * 5_000, 400, "malformed-json"),
        (b"[]", 422, "invalid-request"),
        (b"{}", 422, "invalid-request"),
        (b'{"instances": "x"}', 422, "invalid-request"),
        (b'{"instances": []}', 422, "invalid-request"),
        (b'{"instances": [1]}', 422, "invalid-request"),
        (b'{"instances": ["x"], "top_q": 1}', 422, "invalid-request"),
        (b'{"instances": [""]}', 422, "invalid-request"),
        (b'{"instances": ["  "]}', 422, "invalid-request"),
        (b'{"instances": ["\\ud800"]}', 422, "invalid-request"),
        (b'{"instances": ["\\u0000"]}', 422, "invalid-request"),
        (b'{"\\ud800": ["x"]}', 422, "invalid-request"),
    ],
)
def test_bad_bodies(shared: Any, body: bytes, status: int, name: str) -> None:
    problem = assert_problem(post(shared, PREDICT, body), status, name)
    if status == 422:
        assert all(error["pointer"].startswith("#") and error["detail"] for error in problem["errors"])


def test_too_many_instances_says_how_many(shared: Any) -> None:
    problem = assert_problem(shared.predict(*["invoice"] * 9), 422, "invalid-request")
    assert "1 to 8" in problem["detail"]


def test_an_over_long_text_says_how_long(shared: Any) -> None:
    problem = assert_problem(shared.predict("fine", "x" * 201), 422, "invalid-request")
    assert problem["errors"] == [
        {"pointer": "#/instances/1", "detail": "Expected at most 200 characters, found 201. Shorten or split the text."}
    ]


@pytest.mark.parametrize("verb", ["predict", "feedback"])
def test_an_unknown_task_lists_the_known(shared: Any, verb: str) -> None:
    response = post(shared, f"/v1/models/nope:{verb}", b'{"instances": ["x"]}')
    assert "orders, support" in assert_problem(response, 404, "unknown-task")["detail"]
    assert_problem(shared.get("/v1/models/nope"), 404, "unknown-task")


def test_a_task_without_a_release_is_not_served(shared: Any) -> None:
    problem = assert_problem(shared.predict("x", task="broken"), 503, "task-not-served")
    assert "perennial releases promote broken" in problem["detail"]


@pytest.mark.parametrize(
    ("method", "path", "allowed"),
    [
        ("GET", PREDICT, "POST"),
        ("DELETE", FEEDBACK, "POST"),
        ("POST", "/v1/models", "GET, HEAD"),
        ("PUT", "/v1/models/support", "GET, HEAD"),
        ("POST", "/livez", "GET, HEAD"),
        ("PATCH", "/metrics", "GET, HEAD"),
    ],
)
def test_a_wrong_method_names_the_right_one(shared: Any, method: str, path: str, allowed: str) -> None:
    response = shared.client.request(method, shared.url + path)
    assert_problem(response, 405, "method-not-allowed")
    assert response.headers["allow"] == allowed


@pytest.mark.parametrize(
    "path",
    ["/v1", "/v1/", "/v1/models/", "/v1/models/a/b", "/v1/models/support:", "/v1/models/support:train",
     "/v1/models/:predict", "/v3/nothing", "/nothing", "/v1/models/%00", "/v1x", "/v1/models/%F0%9F%A6%8A%2Fx"],
)  # fmt: skip
def test_an_unknown_route(shared: Any, path: str) -> None:
    response = shared.get(path)
    assert response.status_code == 404
    assert response.headers["content-type"] == "application/problem+json"


@pytest.mark.parametrize(
    "kind", ["text/plain", "application/x-www-form-urlencoded", "application/json; charset=utf-16", "nonsense", "\xff"]
)
def test_another_content_type_is_refused(shared: Any, kind: str) -> None:
    response = shared.client.post(
        shared.url + PREDICT, content=b'{"instances": ["x"]}', headers=[(b"content-type", kind.encode("latin-1"))]
    )
    assert_problem(response, 415, "unsupported-media-type")


@pytest.mark.parametrize("kind", ["application/json; charset=UTF-8", "Application/JSON", "application/ld+json"])
def test_json_by_any_name_is_taken(shared: Any, kind: str) -> None:
    assert post(shared, PREDICT, b'{"instances": ["x"]}', kind).status_code == 200


def test_a_compressed_body_is_refused(shared: Any) -> None:
    response = shared.client.post(shared.url + PREDICT, content=b"x", headers={"content-encoding": "gzip"})
    assert_problem(response, 415, "unsupported-media-type")


def test_a_large_body_is_refused_with_and_without_its_length(shared: Any) -> None:
    large = b'{"instances": ["' + b"x" * 70_000 + b'"]}'
    assert_problem(post(shared, PREDICT, large), 413, "body-too-large")

    def chunks() -> Iterator[bytes]:
        for start in range(0, len(large), 1000):
            yield large[start : start + 1000]

    for path in (PREDICT, "/predict"):
        response = shared.client.post(shared.url + path, content=chunks(), headers={"content-type": "application/json"})
        assert_problem(response, 413, "body-too-large")
    assert_problem(post(shared, "/predict", large), 413, "body-too-large")


def test_a_chunked_body_is_read(shared: Any) -> None:
    response = shared.client.post(shared.url + PREDICT, content=iter([b'{"instan', b'ces": ["inv', b'oice"]}']))
    assert response.json()["predictions"][0]["label"] == "billing"


def test_unknown_predictions_are_named_and_nothing_is_recorded(shared: Any) -> None:
    mine = shared.predict("invoice").json()["predictions"][0]["id"]
    other = shared.predict("money", task="orders").json()["predictions"][0]["id"]
    before = shared.metric('perennial_feedback_total{task="support"}')
    response = shared.feedback((mine, "billing"), ("0" * 26, "billing"), (other, "billing"), ("not an id", "other"))
    problem = assert_problem(response, 404, "unknown-prediction")
    assert problem["unknown"] == [
        {"index": 1, "id": "0" * 26},
        {"index": 2, "id": other},
        {"index": 3, "id": "not an id"},
    ]
    assert shared.metric('perennial_feedback_total{task="support"}') == before


def test_an_id_that_no_answer_can_repeat_is_unknown_too(shared: Any) -> None:
    response = post(shared, FEEDBACK, b'{"items": [{"id": "\\ud800", "label": "billing"}]}')
    assert assert_problem(response, 404, "unknown-prediction")["unknown"] == [{"index": 0, "id": "\\ud800"}]


def test_an_unknown_label_names_the_known(shared: Any) -> None:
    mine = shared.predict("invoice").json()["predictions"][0]["id"]
    problem = assert_problem(shared.feedback((mine, "nope")), 422, "invalid-request")
    assert "billing, delivery, other" in problem["errors"][0]["detail"]


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
def test_no_body_makes_the_service_fail(shared: Any, body: bytes, path: str) -> None:
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


def test_the_service_starts_with_an_empty_home_and_picks_up_the_first_release(
    home: Any, start_server: Callable[..., Any], release_served: Callable[..., Any]
) -> None:
    server = start_server(home, until_ready=False)
    server.wait_for(lambda: "Train one" in server.get("/readyz").text, "knows that there is nothing")
    assert_problem(server.get("/readyz"), 503, "not-ready")
    assert "perennial train" in server.get("/readyz").json()["detail"]
    assert_problem(server.predict("x"), 404, "unknown-task")
    assert server.get("/v1/models").json() == {"models": []}
    release_served(home)
    server.wait_for(server.ready, "ready")
    assert server.predict("invoice").json()["predictions"][0]["label"] == "billing"


def test_bentoml_s_page_may_load_nothing_from_elsewhere(shared: Any) -> None:
    page = shared.get("/")
    assert page.status_code == 200
    assert "default-src 'self'" in page.headers["content-security-policy"]


def test_a_replay_to_several_tasks_asks_which(shared: Any, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "texts.csv").write_text("text\ninvoice please\n", encoding="utf-8")
    assert main(["replay", str(tmp_path / "texts.csv"), "--url", shared.url]) == 1
    assert "found: orders, support. Name it: --task" in capsys.readouterr().err


def test_a_hostile_list_for_the_typed_endpoint_is_answered_shortly(shared: Any) -> None:
    numbers = b'{"task": "support", "instances": [' + b",".join([b"1"] * 20_000) + b"]}"
    response = post(shared, "/predict", numbers)
    assert response.status_code == 400
    assert "#/instances/0" in response.json()["error"]
    assert len(response.content) < 500


@pytest.mark.parametrize("change", [lambda own: own[:-1], lambda own: own + "0"])
def test_an_id_nearly_right_does_not_pass_for_one_of_the_callers_own(shared: Any, change: Callable[[str], str]) -> None:
    mine = shared.predict("invoice").json()["predictions"][0]["id"]
    assert_problem(shared.feedback((change(mine), "billing")), 404, "unknown-prediction")


def test_the_typed_endpoint_names_a_task_that_it_does_not_know(shared: Any) -> None:
    response = post(shared, "/predict", b'{"task": "nope", "instances": ["x"]}')
    assert response.status_code == 404
    assert "There is no task 'nope'" in response.text
