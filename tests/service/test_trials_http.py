"""Canary and shadow over real HTTP: sticky shares, switches by writing the file, and logs that tell the roles apart."""

from __future__ import annotations

import json
import random
import signal
import threading
import time
from typing import Any

import httpx

from contracts.files import write_atomic
from contracts.home import Home
from contracts.log import Cursor, read_new
from contracts.records import FeedbackRecord, PredictionRecord
from contracts.rollout import end_trial, promote, try_canary, try_shadow
from contracts.task import LimitSpec
from service.rollout.trials import in_share

BY = {"by": "test", "reason": "test", "now": 5.0}
WORDS = {"billing": "invoice", "delivery": "courier", "other": "hello"}
# Another opinion on greetings than the default release has.
KEYWORDS = {"billing": ("invoice", "refund"), "delivery": ("courier",), "praise": ("great", "hello")}


def ask(client: httpx.Client, url: str, text: str, **parameters: object) -> httpx.Response:
    body = {"instances": [text], **({"parameters": parameters} if parameters else {})}
    return client.post(f"{url}/v1/models/support:predict", json=body)


def records(home: Home) -> list[PredictionRecord]:
    return list(read_new(home.predictions("support"), PredictionRecord, Cursor()))


def logged(server: Any, home: Home, role: str, count: int) -> list[PredictionRecord]:
    """The records of a role, once there are so many."""

    def found() -> list[PredictionRecord]:
        return [record for record in records(home) if record.role == role]

    server.wait_for(lambda: len(found()) >= count, f"{count} {role} records")
    return found()


def loaded(server: Any, version: str, role: str) -> bool:
    return bool(server.metric(f'perennial_release_info{{release="{version}",role="{role}",task="support"}}') == 1)


def write_rollout(home: Home, generation: int, **fields: object) -> None:
    """As somebody would write the file by hand: no history, no more fields than are needed."""
    content = {"schema_number": 1, "task": "support", "generation": generation, **fields}
    write_atomic(home.rollout("support"), json.dumps(content).encode())


def test_a_canary_answers_the_same_callers_in_every_worker(scene: Any) -> None:
    scene.serve()
    scene.publish()
    try_canary(scene.home, "support", "0002", 0.3, **BY)
    server = scene.start(environment={"PERENNIAL_WORKERS": "2"})
    keys = [f"customer-{number}" for number in range(60)]
    chosen = {key: "0002" if in_share("support", "0002", key, 0.3) else "0001" for key in keys}
    assert len(set(chosen.values())) == 2

    def answering(key: str) -> str:
        # A connection of its own each time, so that both workers are asked.
        with httpx.Client(timeout=30) as client:
            response = ask(client, server.url, f"invoice {key}", key=key)
        assert response.status_code == 200, response.text
        return str(response.json()["model_version"])

    server.wait_for(lambda: server.output().count("as the canary, from now on") == 2, "both workers have the canary")
    asked = keys * 3
    random.Random(1).shuffle(asked)
    assert [answering(key) for key in asked] == [chosen[key] for key in asked]
    expected = sum(chosen[key] == "0002" for key in asked)
    for role, version, count in (("canary", "0002", expected), ("stable", "0001", len(asked) - expected)):
        found = logged(server, scene.home, role, count)
        assert [record.release for record in found] == [version] * count
        sample = f'perennial_predictions_total{{label="billing",release="{version}",task="support"}}'
        assert server.metric(sample) == count
        sample = f'perennial_prediction_seconds_count{{release="{version}",role="{role}",task="support"}}'
        assert server.metric(sample) == count


def test_trials_switched_by_writing_the_file_under_load_lose_no_request(scene: Any) -> None:
    scene.serve()
    for _ in range(2):
        scene.publish()
    server = scene.start()
    answers: list[tuple[int, bool, str]] = []
    stop = threading.Event()

    def send(seed: int) -> None:
        rng = random.Random(seed)
        with httpx.Client(timeout=30) as client:
            while not stop.is_set():
                label = rng.choice(list(WORDS))
                text = f"{WORDS[label]} {'please ' * rng.randrange(8)}"
                response = ask(client, server.url, text, key=f"customer-{rng.randrange(1000)}")
                if response.status_code == 200:
                    body = response.json()
                    answers.append((200, body["predictions"][0]["label"] == label, body["model_version"]))
                else:
                    answers.append((response.status_code, False, response.text))

    def answered_by(*versions: str) -> None:
        seen = len(answers)
        server.wait_for(
            lambda: {version for _, _, version in answers[seen:][-60:]} == set(versions) and len(answers) > seen + 60,
            f"{versions} answer",
        )

    threads = [threading.Thread(target=send, args=(seed,)) for seed in range(4)]
    for thread in threads:
        thread.start()
    try:
        answered_by("0001")
        write_rollout(scene.home, 2, stable="0001", canary="0002", canary_share=0.5)
        answered_by("0001", "0002")
        write_rollout(scene.home, 3, stable="0001", canary="0002", canary_share=1.0, shadow="0003", shadow_share=0.5)
        answered_by("0002")
        write_rollout(scene.home, 4, stable="0002", canary="0003", canary_share=0.5)
        answered_by("0002", "0003")
        write_rollout(scene.home, 5, stable="0003", shadow="0001")
        answered_by("0003")
        write_rollout(scene.home, 6, stable="0001")
        answered_by("0001")
    finally:
        stop.set()
        for thread in threads:
            thread.join()
    assert {(status, right) for status, right, _ in answers} == {(200, True)}


def test_a_shadow_scores_beside_the_answers_and_answers_nobody(scene: Any) -> None:
    scene.serve()
    scene.publish(keywords=KEYWORDS)
    try_shadow(scene.home, "support", "0002", **BY)
    server = scene.start()
    server.wait_for(lambda: loaded(server, "0002", "shadow"), "the shadow is loaded")
    texts = [f"hello question {number}" for number in range(30)]
    answers = [ask(server.client, server.url, text, key=text).json() for text in texts]
    assert {answer["model_version"] for answer in answers} == {"0001"}
    assert {answer["predictions"][0]["label"] for answer in answers} == {"other"}
    shadows = logged(server, scene.home, "shadow", len(texts))
    stable = logged(server, scene.home, "stable", len(texts))
    assert sorted(record.text or "" for record in shadows) == sorted(texts)
    assert {(record.release, record.label) for record in shadows} == {("0002", "praise")}
    assert {(record.release, record.label) for record in stable} == {("0001", "other")}
    given = {answer["predictions"][0]["id"] for answer in answers}
    assert {record.id for record in stable} == given
    assert len({record.id for record in shadows}) == len(texts)
    assert given.isdisjoint(record.id for record in shadows)
    assert server.metric('perennial_predictions_total{label="praise",release="0002",task="support"}') == 0
    differed = 'perennial_shadow_predictions_total{outcome="other",release="0002",task="support"}'
    assert server.metric(differed) == len(texts)
    end_trial(scene.home, "support", **BY)
    server.wait_for(lambda: not loaded(server, "0002", "shadow"), "the shadow is gone")
    assert ask(server.client, server.url, "hello again").status_code == 200
    logged(server, scene.home, "stable", len(texts) + 1)
    time.sleep(0.3)  # longer than a record takes to its file
    assert len(logged(server, scene.home, "shadow", len(texts))) == len(texts)


def test_a_shadow_that_is_asked_for_by_its_version_is_not_judged_by_that(scene: Any) -> None:
    scene.serve()
    scene.publish(keywords=KEYWORDS)
    try_shadow(scene.home, "support", "0002", **BY)
    server = scene.start()
    server.wait_for(lambda: loaded(server, "0002", "shadow"), "the shadow is loaded")
    for number in range(20):
        answer = ask(server.client, server.url, f"hello question {number}", version="0002").json()
        assert answer["model_version"] == "0002"
    assert ask(server.client, server.url, "hello there", version="0001").json()["model_version"] == "0001"
    (scored,) = logged(server, scene.home, "shadow", 1)
    assert scored.text == "hello there", "what the stable release answers is shadowed, by its version or not"
    requested = logged(server, scene.home, "requested", 20)
    assert {(record.release, record.label) for record in requested} == {("0002", "praise")}
    assert len(requested) == 20
    outcome = 'perennial_shadow_predictions_total{{outcome="{}",release="0002",task="support"}}'.format
    assert (server.metric(outcome("same")), server.metric(outcome("other"))) == (0, 1)
    count = 'perennial_prediction_seconds_count{{release="0002",role="{}",task="support"}}'.format
    assert (server.metric(count("shadow")), server.metric(count("requested"))) == (0, 20)


def test_a_share_of_the_traffic_is_shadowed(scene: Any) -> None:
    scene.serve()
    scene.publish()
    try_shadow(scene.home, "support", "0002", 0.3, **BY)
    server = scene.start()
    server.wait_for(lambda: loaded(server, "0002", "shadow"), "the shadow is loaded")
    texts = [f"hello number {number}" for number in range(100)]
    for text in texts:
        assert ask(server.client, server.url, text).status_code == 200
    chosen = {text for text in texts if in_share("support", "0002", text, 0.3)}
    assert {record.text for record in logged(server, scene.home, "shadow", len(chosen))} == chosen


def test_feedback_on_a_canary_may_name_its_own_labels(scene: Any) -> None:
    scene.serve()
    scene.publish(keywords=KEYWORDS)
    server = scene.start()
    assert ask(server.client, server.url, "hello", version="0002").status_code == 404
    try_canary(scene.home, "support", "0002", 0.01, **BY)
    server.wait_for(lambda: loaded(server, "0002", "canary"), "the canary is loaded")
    answer = ask(server.client, server.url, "hello", version="0002").json()
    assert (answer["model_version"], answer["predictions"][0]["label"]) == ("0002", "praise")
    identifier = answer["predictions"][0]["id"]
    assert server.feedback((identifier, "praise")).status_code == 202
    assert server.feedback((identifier, "unheard-of")).status_code == 422
    kept = list(read_new(scene.home.feedback("support"), FeedbackRecord, Cursor()))
    assert [(record.id, record.label) for record in kept] == [(identifier, "praise")]
    (record,) = logged(server, scene.home, "requested", 1)
    assert (record.id, record.release) == (identifier, "0002")
    missing = ask(server.client, server.url, "hello", version="0009")
    assert missing.status_code == 404
    assert missing.json()["type"] == "urn:perennial:problem:version-not-served"
    assert "0001 (stable), 0002 (canary)" in missing.json()["detail"]
    promote(scene.home, "support", "0002", **BY)
    server.wait_for(lambda: server.version() == "0002", "the canary is promoted")
    assert ask(server.client, server.url, "hello").json()["predictions"][0]["label"] == "praise"


def test_a_shadow_that_cannot_keep_up_is_counted_and_costs_no_caller_anything(scene: Any) -> None:
    many = LimitSpec(max_instances=2000)
    scene.serve(limits=many)
    scene.publish(limits=many, work=3000)
    try_shadow(scene.home, "support", "0002", by="test", reason="test", now=time.time())
    server = scene.start()
    server.wait_for(lambda: "as the shadow, from now on" in server.output(), "the shadow is loaded")
    # One that is more than may wait, one that runs, one that waits.
    found = [server.predict(*["invoice please"] * count).status_code for count in (1500, 900, 900)]
    for _ in range(8):
        answer = server.predict(*["hello"] * 50)
        found.append(answer.status_code)
        assert answer.json()["model_version"] == "0001"
    assert set(found) == {200}
    outcome = 'perennial_shadow_predictions_total{{outcome="{}",release="0002",task="support"}}'.format
    assert server.metric(outcome("dropped")) >= 1500 + 6 * 50
    assert server.end(signal.SIGTERM) == 0, "and a stop does not wait for it"
