"""Entities and several labels over real HTTP: what is answered, what is logged, and what is refused."""

from __future__ import annotations

import json
import time

import httpx
import pytest

from contracts.home import Home
from contracts.log import segments
from contracts.records import PredictionRecord


def records(home: Home, task: str, count: int) -> list[PredictionRecord]:
    end = time.monotonic() + 30
    while time.monotonic() < end:
        lines = [line for path in segments(home.predictions(task)) for line in path.read_bytes().splitlines()]
        if len(lines) >= count:
            return [PredictionRecord.model_validate_json(line) for line in lines]
        time.sleep(0.05)
    raise AssertionError(f"expected {count} records of {task}")


def test_entities_and_several_labels_are_answered_logged_and_counted(server, kinds_home: Home) -> None:
    text = "My  parcel, is of Rome City — Paris!"
    answer = server.predict(text, "hello ?", task="names")
    assert answer.status_code == 200, answer.text
    found, empty = answer.json()["predictions"]
    assert [(one["text"], one["label"]) for one in found["entities"]] == [
        ("parcel", "way"),
        ("Rome City", "place"),
        ("Paris", "place"),
    ]
    for one in found["entities"]:
        assert text[one["start"] : one["end"]] == one["text"]
        assert 0 < one["score"] <= 1
    assert set(empty) == {"id", "entities"}
    assert empty["entities"] == []
    logged = {record.id: record for record in records(kinds_home, "names", 2)}
    assert logged[found["id"]].label == "place+way"
    assert len(logged[found["id"]].logits) == 5
    assert logged[empty["id"]].label == "none"

    both, none = server.predict("refund for my parcel", "the my", task="several").json()["predictions"]
    assert both["label"] == "billing+delivery"
    assert [one["label"] for one in both["labels"]] == ["billing", "delivery"]
    assert both["score"] == pytest.approx(sum(one["score"] for one in both["labels"]) / 2, abs=1e-5)
    assert (none["label"], none["labels"]) == ("none", [])
    assert {record.label for record in records(kinds_home, "several", 2)} == {"billing+delivery", "none"}
    counted = 'perennial_predictions_total{label="(other labels)",release="0001",task="several"}'
    assert server.metric(counted) == 1


def test_the_labels_of_a_text_can_be_ranked_though_several_count(server) -> None:
    body = {"instances": ["refund for my parcel"], "parameters": {"all_scores": True}}
    (one,) = server.client.post(f"{server.url}/v1/models/several:predict", json=body).json()["predictions"]
    assert [score["label"] for score in one["scores"]][2] == "other"
    assert one["scores"][2]["score"] == pytest.approx(0.5)


def refused(answer: httpx.Response, status: int, words: str) -> None:
    assert answer.status_code == status, answer.text
    assert words in answer.text


def test_what_is_for_one_label_a_text_is_refused_clearly(server) -> None:
    refused(server.feedback(("order:1", "place"), task="names"), 422, "feedback is for classification")
    refused(server.feedback(("order:1", "billing"), task="several"), 422, "several labels a text")
    ranked = {"instances": ["rome"], "parameters": {"top_k": 2}}
    answer = server.client.post(f"{server.url}/v1/models/names:predict", json=ranked)
    refused(answer, 422, "no labels to rank")
    assert answer.headers["content-type"] == "application/problem+json"
    tensor = {"name": "text", "shape": [1], "datatype": "BYTES", "data": ["rome"]}
    asked = {"inputs": [tensor], "parameters": {"top_k": 2}}
    refused(server.client.post(f"{server.url}/v2/models/names/infer", json=asked), 400, "no labels to rank")
    typed = {"task": "names", "instances": ["rome"]}
    refused(server.client.post(f"{server.url}/predict", json=typed), 422, "this endpoint is for classification")


def test_a_cut_text_says_so_and_holds_entities_before_the_cut(server) -> None:
    text = "rome " + "of " * 60 + "paris"
    (one,) = server.predict(text, task="names").json()["predictions"]
    assert [found["text"] for found in one["entities"]] == ["rome"]
    assert one["truncated"] is True


def test_the_documents_name_both_forms_of_an_answer(server) -> None:
    schemas = server.get("/openapi.json").json()["components"]["schemas"]
    assert json.dumps(schemas["Prediction"]).count("$ref") >= 2
    assert set(schemas["EntitiesPrediction"]["required"]) == {"id", "entities"}
