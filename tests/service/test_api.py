"""Every route over HTTP, as callers use it."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import pytest
from prometheus_client.parser import text_string_to_metric_families

from cli.main import main
from contracts import metrics as names
from contracts.home import Home

PREDICT = "/v1/models/support:predict"


def test_predictions_come_in_order_with_one_version(shared: Any) -> None:
    response = shared.predict("my invoice", "the courier is late", "hello")
    assert response.status_code == 200
    body = response.json()
    assert set(body) == {"predictions", "model_version"}
    assert body["model_version"] == "0001"
    assert [one["label"] for one in body["predictions"]] == ["billing", "delivery", "other"]
    assert all(set(one) == {"id", "label", "score"} and 0.5 < one["score"] <= 1 for one in body["predictions"])
    assert len({one["id"] for one in body["predictions"]}) == 3


def test_both_forms_of_an_instance_and_a_missing_content_type(post: Callable[..., httpx.Response], shared: Any) -> None:
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


@pytest.mark.parametrize("kind", ["application/json; charset=UTF-8", "Application/JSON", "application/ld+json"])
def test_json_by_any_name_is_taken(post: Callable[..., httpx.Response], shared: Any, kind: str) -> None:
    assert post(shared, PREDICT, b'{"instances": ["x"]}', kind).status_code == 200


def test_a_chunked_body_is_read(shared: Any) -> None:
    response = shared.client.post(shared.url + PREDICT, content=iter([b'{"instan', b'ces": ["inv', b'oice"]}']))
    assert response.json()["predictions"][0]["label"] == "billing"


def test_the_service_starts_with_an_empty_home_and_picks_up_the_first_release(
    assert_problem: Callable[..., dict[str, Any]],
    home: Any,
    start_server: Callable[..., Any],
    release_served: Callable[..., Any],
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


def test_bentoml_s_page_shows_our_document_and_may_load_nothing_from_elsewhere(shared: Any) -> None:
    page = shared.get("/")
    assert page.status_code == 200
    assert "default-src 'self'" in page.headers["content-security-policy"]
    assert "swagger-initializer.js" in page.text
    assert '"./docs.json"' in shared.get("/static_content/swagger-initializer.js").text
    assert shared.get("/docs.json").json() == shared.get("/openapi.json").json()


def test_bentoml_s_healthz_says_that_the_process_answers_and_no_more(
    home: Home, start_server: Callable[..., Any]
) -> None:
    server = start_server(home, until_ready=False)
    for path, status in (("/healthz", 200), ("/livez", 200), ("/readyz", 503)):
        assert server.get(path).status_code == status, path


def test_a_replay_to_several_tasks_asks_which(shared: Any, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "texts.csv").write_text("text\ninvoice please\n", encoding="utf-8")
    assert main(["replay", str(tmp_path / "texts.csv"), "--url", shared.url]) == 1
    assert "found: orders, support. Name it: --task" in capsys.readouterr().err


def test_a_replay_goes_on_behind_a_text_that_is_too_long(
    shared: Any, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "texts.csv").write_text(f"text,label\ninvoice,billing\n{'x' * 201},other\nparcel,delivery\n")
    words = ["replay", str(tmp_path / "texts.csv"), "--url", shared.url, "--task", "support", "--labels", "--json"]
    assert main(words) == 1
    found = json.loads(capsys.readouterr().out)
    assert (found["sent"], found["answered"], found["refused"], found["feedback"]) == (3, 2, 1, 2)
    assert found["first_refusal"] == {
        "place": f"{tmp_path / 'texts.csv'}, line 3",
        "reason": "Expected at most 200 characters, found 201. Shorten or split the text.",
    }
