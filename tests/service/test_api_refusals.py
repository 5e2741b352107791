"""Bad input over HTTP: a 4xx problem that says what to do."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import httpx
import pytest

PREDICT = "/v1/models/support:predict"
FEEDBACK = "/v1/models/support:feedback"


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
def test_bad_bodies(
    assert_problem: Callable[..., dict[str, Any]],
    post: Callable[..., httpx.Response],
    shared: Any,
    body: bytes,
    status: int,
    name: str,
) -> None:
    problem = assert_problem(post(shared, PREDICT, body), status, name)
    if status == 422:
        assert all(error["pointer"].startswith("#") and error["detail"] for error in problem["errors"])


def test_too_many_instances_says_how_many(assert_problem: Callable[..., dict[str, Any]], shared: Any) -> None:
    problem = assert_problem(shared.predict(*["invoice"] * 9), 422, "invalid-request")
    assert "1 to 8" in problem["detail"]


def test_an_over_long_text_says_how_long(assert_problem: Callable[..., dict[str, Any]], shared: Any) -> None:
    problem = assert_problem(shared.predict("fine", "x" * 201), 422, "invalid-request")
    assert problem["errors"] == [
        {"pointer": "#/instances/1", "detail": "Expected at most 200 characters, found 201. Shorten or split the text."}
    ]


@pytest.mark.parametrize("verb", ["predict", "feedback"])
def test_an_unknown_task_lists_the_known(
    assert_problem: Callable[..., dict[str, Any]], post: Callable[..., httpx.Response], shared: Any, verb: str
) -> None:
    response = post(shared, f"/v1/models/nope:{verb}", b'{"instances": ["x"]}')
    assert "orders, support" in assert_problem(response, 404, "unknown-task")["detail"]
    assert_problem(shared.get("/v1/models/nope"), 404, "unknown-task")


def test_a_task_without_a_release_is_not_served(assert_problem: Callable[..., dict[str, Any]], shared: Any) -> None:
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
def test_a_wrong_method_names_the_right_one(
    assert_problem: Callable[..., dict[str, Any]], shared: Any, method: str, path: str, allowed: str
) -> None:
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
def test_another_content_type_is_refused(assert_problem: Callable[..., dict[str, Any]], shared: Any, kind: str) -> None:
    response = shared.client.post(
        shared.url + PREDICT, content=b'{"instances": ["x"]}', headers=[(b"content-type", kind.encode("latin-1"))]
    )
    assert_problem(response, 415, "unsupported-media-type")


def test_a_compressed_body_is_refused(assert_problem: Callable[..., dict[str, Any]], shared: Any) -> None:
    response = shared.client.post(shared.url + PREDICT, content=b"x", headers={"content-encoding": "gzip"})
    assert_problem(response, 415, "unsupported-media-type")


def test_a_large_body_is_refused_with_and_without_its_length(
    assert_problem: Callable[..., dict[str, Any]], post: Callable[..., httpx.Response], shared: Any
) -> None:
    large = b'{"instances": ["' + b"x" * 70_000 + b'"]}'
    assert_problem(post(shared, PREDICT, large), 413, "body-too-large")

    def chunks() -> Iterator[bytes]:
        for start in range(0, len(large), 1000):
            yield large[start : start + 1000]

    for path in (PREDICT, "/predict"):
        response = shared.client.post(shared.url + path, content=chunks(), headers={"content-type": "application/json"})
        assert_problem(response, 413, "body-too-large")
    assert_problem(post(shared, "/predict", large), 413, "body-too-large")


def test_unknown_predictions_are_named_and_nothing_is_recorded(
    assert_problem: Callable[..., dict[str, Any]], shared: Any
) -> None:
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


def test_an_id_that_no_answer_can_repeat_is_unknown_too(
    assert_problem: Callable[..., dict[str, Any]], post: Callable[..., httpx.Response], shared: Any
) -> None:
    response = post(shared, FEEDBACK, b'{"items": [{"id": "\\ud800", "label": "billing"}]}')
    assert assert_problem(response, 404, "unknown-prediction")["unknown"] == [{"index": 0, "id": "\\ud800"}]


def test_an_unknown_label_names_the_known(assert_problem: Callable[..., dict[str, Any]], shared: Any) -> None:
    mine = shared.predict("invoice").json()["predictions"][0]["id"]
    problem = assert_problem(shared.feedback((mine, "nope")), 422, "invalid-request")
    assert "billing, delivery, other" in problem["errors"][0]["detail"]


@pytest.mark.parametrize("change", [lambda own: own[:-1], lambda own: own + "0"])
def test_an_id_nearly_right_does_not_pass_for_one_of_the_callers_own(
    assert_problem: Callable[..., dict[str, Any]], shared: Any, change: Callable[[str], str]
) -> None:
    mine = shared.predict("invoice").json()["predictions"][0]["id"]
    assert_problem(shared.feedback((change(mine), "billing")), 404, "unknown-prediction")


def test_the_typed_endpoint_names_a_task_that_it_does_not_know(
    post: Callable[..., httpx.Response], shared: Any
) -> None:
    response = post(shared, "/predict", b'{"task": "nope", "instances": ["x"]}')
    assert response.status_code == 404
    assert "There is no task 'nope'" in response.text
