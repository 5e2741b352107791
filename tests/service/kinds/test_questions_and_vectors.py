"""Answers to questions and vectors of texts over real HTTP: what is answered, what is logged, what is refused."""

from __future__ import annotations

import base64
import time
from collections.abc import Callable
from typing import Any

import httpx
import numpy as np
import pytest

from contracts.home import Home
from contracts.log import segments
from contracts.records import PredictionRecord
from contracts.rollout import promote, try_shadow

LONG = "please " * 60 + "is late my tuesday ? " + "help " * 60


def send(server: Any, path: str, **body: object) -> httpx.Response:
    found: httpx.Response = server.client.post(server.url + path, json=body)
    return found


def ask(server: Any, *instances: object, **more: object) -> httpx.Response:
    return send(server, "/v1/models/wiki:predict", instances=list(instances), **more)


def records(home: Home, task: str, wanted: set[str]) -> dict[str, PredictionRecord]:
    end = time.monotonic() + 30
    while time.monotonic() < end:
        lines = [line for path in segments(home.predictions(task)) for line in path.read_bytes().splitlines()]
        found = {record.id: record for line in lines if (record := PredictionRecord.model_validate_json(line))}
        if wanted <= found.keys():
            return found
        time.sleep(0.05)
    raise AssertionError(f"expected records {wanted} of {task}")


def test_an_answer_is_a_stretch_of_its_context(server: Any, kinds_home: Home) -> None:
    context = "My parcel —  is it late, this Tuesday?"
    response = ask(
        server,
        {"question": "When is it?", "context": context, "id": "order:1"},
        {"question": "When is\nit?", "context": LONG},
        {"question": "When?", "context": "hello, and thanks"},
    )
    assert response.status_code == 200, response.text
    one, long, none = response.json()["predictions"]
    assert one["id"] == "order:1"
    assert set(one) == {"id", "answer", "score", "start", "end"}
    assert one["answer"] == "late, this Tuesday" == context[one["start"] : one["end"]]
    assert long["answer"] == "late my tuesday" == LONG[long["start"] : long["end"]]
    assert (none["answer"], none["start"], none["end"]) == ("", 0, 0)
    assert one["score"] > 0.9
    assert 0 < none["score"] < 0.5
    logged = records(kinds_home, "wiki", {one["id"], long["id"], none["id"]})
    assert (logged["order:1"].label, logged[none["id"]].label) == ("answer", "no-answer")
    assert logged["order:1"].text == f"When is it?\n{context}"
    assert logged[long["id"]].text == f"When is it?\n{LONG}"
    # One record though it was read in many windows of 32 tokens.
    assert logged[long["id"]].length > 120
    assert [len(record.logits) for record in logged.values()] == [2] * len(logged)
    assert server.metric('perennial_predictions_total{label="answer",release="0001",task="wiki"}') >= 2


def test_order_and_company_change_no_answer(server: Any) -> None:
    instances = [
        {"question": "When?", "context": " ".join(["please"] * place + ["late", "tuesday"] + ["my"] * (50 - place))}
        for place in range(0, 48, 6)
    ]
    together = ask(server, *instances).json()["predictions"]
    alone = [ask(server, one).json()["predictions"][0] for one in instances]
    backwards = ask(server, *reversed(instances)).json()["predictions"][::-1]
    for found in (alone, backwards):
        assert [(one["answer"], one["start"]) for one in found] == [(one["answer"], one["start"]) for one in together]
        assert [one["score"] for one in found] == pytest.approx([one["score"] for one in together], abs=1e-5)


@pytest.mark.parametrize(
    ("instance", "pointer", "words"),
    [
        ("When?", "#/instances/0", "found a string"),
        ({"text": "When?"}, "#/instances/0/text", "Unknown field"),
        ({"question": "When?"}, "#/instances/0", "`context` is missing"),
        ({"question": " ", "context": "late"}, "#/instances/0/question", "only white space"),
        ({"question": "When?", "context": 7}, "#/instances/0/context", "found a number"),
        ({"question": "When?", "context": "late " * 4000}, "#/instances/0", "characters"),
        ({"question": "When?", "context": "late\0"}, "#/instances/0", ""),
    ],
)
def test_what_is_no_question_is_refused_by_its_place(
    server: Any, assert_problem: Callable[..., dict[str, Any]], instance: object, pointer: str, words: str
) -> None:
    problem = assert_problem(ask(server, instance), 422, "invalid-request")
    assert problem["errors"][0]["pointer"] == pointer
    assert words in problem["errors"][0]["detail"]


def test_labels_are_not_ranked_where_there_are_none(server: Any, assert_problem: Callable[..., Any]) -> None:
    instance = {"question": "When?", "context": "late"}
    problem = assert_problem(ask(server, instance, parameters={"top_k": 2}), 422, "invalid-request")
    assert "no labels to rank" in problem["detail"]


def test_a_vector_has_length_one_and_is_logged(server: Any, kinds_home: Home) -> None:
    response = send(server, "/v1/models/search:predict", instances=["my invoice", "a parcel and a refund"])
    assert response.status_code == 200, response.text
    first, second = response.json()["predictions"]
    assert set(first) == {"id", "embedding"}
    np.testing.assert_allclose(first["embedding"], [1.0, 0.0, 0.0], atol=1e-6)
    np.testing.assert_allclose(second["embedding"], [0.5**0.5, 0.5**0.5, 0.0], atol=1e-6)
    logged = records(kinds_home, "search", {first["id"], second["id"]})[first["id"]]
    assert (logged.label, logged.score, logged.logits) == ("vector", 1.0, (0.0,))


def test_embeddings_in_the_form_of_openai(server: Any, kinds_home: Home) -> None:
    texts = ["my invoice", "the courier is late " * 20]
    response = send(server, "/v1/embeddings", model="search", input=texts, user="customer-17")
    assert response.status_code == 200, response.text
    body = response.json()
    assert (body["object"], body["model"]) == ("list", "search")
    assert [(one["object"], one["index"]) for one in body["data"]] == [("embedding", 0), ("embedding", 1)]
    assert body["usage"] == {"prompt_tokens": 4 + 82, "total_tokens": 4 + 82}
    single = send(server, "/v1/embeddings", model="search", input=texts[1], encoding_format="base64").json()
    (found,) = single["data"]
    decoded = np.frombuffer(base64.b64decode(found["embedding"]), dtype="<f4")
    np.testing.assert_allclose(decoded, body["data"][1]["embedding"], atol=1e-6)
    assert np.linalg.norm(decoded) == pytest.approx(1.0, abs=1e-5)
    assert len(records(kinds_home, "search", set())) >= 1
    assert server.metric('perennial_requests_total{code="200",route="embeddings",task="search"}') == 2


@pytest.mark.parametrize(
    ("body", "pointer", "words"),
    [
        ({"input": "a"}, "#/model", "found nothing"),
        ({"model": "search"}, "#/input", "found nothing"),
        ({"model": "search", "input": []}, "#/input", "Expected 1 to"),
        ({"model": "search", "input": [1, 2]}, "#/input", "found tokens"),
        ({"model": "search", "input": ["a", " "]}, "#/input/1", "white space"),
        ({"model": "search", "input": "a", "encoding_format": "int8"}, "#/encoding_format", "'int8'"),
        ({"model": "search", "input": "a", "dimensions": 2}, "#/dimensions", "Expected 3"),
        ({"model": "wiki", "input": "a"}, "#/model", "question-answering"),
        ({"model": "search", "input": "a", "prompt": "b"}, "#/prompt", "Unknown field"),
    ],
)
def test_embeddings_that_cannot_be_given_are_refused_by_their_place(
    server: Any, assert_problem: Callable[..., dict[str, Any]], body: dict[str, object], pointer: str, words: str
) -> None:
    problem = assert_problem(send(server, "/v1/embeddings", **body), 422, "invalid-request")
    assert problem["errors"][0]["pointer"] == pointer
    assert words in problem["errors"][0]["detail"]


def test_embeddings_of_a_task_that_is_not_there_and_by_another_method(
    server: Any, assert_problem: Callable[..., dict[str, Any]]
) -> None:
    assert_problem(send(server, "/v1/embeddings", model="nothing", input="a"), 404, "unknown-task")
    assert_problem(server.get("/v1/embeddings"), 405, "method-not-allowed")


def test_what_is_for_labels_is_refused(server: Any) -> None:
    identifier = send(server, "/v1/models/search:predict", instances=["hello"]).json()["predictions"][0]["id"]
    assert server.feedback((identifier, "vector"), task="search").status_code == 422


def test_a_shadow_reads_windows_too_and_known_questions_are_answered_from_memory(
    home: Home, publish_questions: Callable[[Home], None], start_server: Callable[..., Any]
) -> None:
    for _ in range(2):
        publish_questions(home)
    promote(home, "wiki", "0001", by="test", reason="test", now=time.time())
    try_shadow(home, "wiki", "0002", by="test", reason="test", now=time.time())
    server = start_server(home, environment={"PERENNIAL_CACHE_ENTRIES": "4"})
    server.wait_for(lambda: "0002" in server.get("/metrics").text, "the shadow is loaded")
    asked = [{"question": "When?", "context": LONG}, {"question": "When?", "context": "hello"}]
    first, again = (ask(server, *asked).json()["predictions"] for _ in range(2))
    for one, other in zip(first, again, strict=True):
        assert {**one, "id": ""} == {**other, "id": ""}
    assert server.metric('perennial_cache_lookups_total{outcome="hit",task="wiki"}') == 2
    same = 'perennial_shadow_predictions_total{outcome="same",release="0002",task="wiki"}'
    server.wait_for(lambda: server.metric(same) >= 2, "the shadow has answered")
