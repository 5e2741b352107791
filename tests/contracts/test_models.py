"""Contract models: through JSON and back the same, nothing unknown, nothing that is no number."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel, ValidationError

from contracts.alert import DRIFT_ALERT, Alert, AlertMessage
from contracts.errors import RequestCorruptError
from contracts.files import sha256_file
from contracts.home import Home
from contracts.records import FeedbackRecord, PredictionRecord
from contracts.release import Comparison, FileEntry, Manifest, PairedOutcome
from contracts.retrain import (
    LABELLED_FILE,
    REQUEST_FILE,
    RESULT_FILE,
    UNLABELLED_FILE,
    JobResult,
    RetrainRequest,
    Snapshot,
    read_request,
    read_result,
)
from contracts.rollout import Rollout
from contracts.rollout_history import RolloutChange
from contracts.verdict import Accuracy, Detector, Verdict, latest_path, read_latest

OUTCOME = PairedOutcome(both_right=80, champion_only=4, candidate_only=11, both_wrong=5)
VERDICT = Verdict(
    task="support",
    release="0001",
    window_id="0001-000007",
    started=1.5,
    ended=2.5,
    evaluated=3.5,
    rows=300,
    verdict="drift",
    run=2,
    alerting=True,
    alert_started=3.5,
    detectors=(
        Detector(name="confidence", score=0.31, p_value=0.0005, adjusted_p_value=0.0025, effect=0.31, verdict="drift"),
    ),
    accuracy=Accuracy(reference=0.95, labelled=40, measured=0.6, measured_low=0.45, measured_high=0.74, estimated=0.7),
    report="monitoring/support/reports/0001-000007.html",
)


def request(manifest: Manifest, snapshot: Snapshot) -> RetrainRequest:
    return RetrainRequest(
        id="support-0123456789ab",
        task="support",
        created=1.0,
        reason="accuracy fell from 0.95 to 0.60",
        evidence=VERDICT,
        parent="0001",
        spec=manifest.spec,
        snapshot=snapshot,
    )


@pytest.fixture(scope="session")
def examples(manifest: Manifest) -> dict[str, BaseModel]:
    entry = FileEntry(sha256="3" * 64, size=12)
    lineage = manifest.lineage.model_copy(update={"parent": "0001", "request_id": "support-0123456789ab"})
    change = RolloutChange(
        time=1.0, action="promote", version="0002", replaced="0001", by="controller", reason="better"
    )
    return {
        "manifest": manifest.model_copy(
            update={
                "version": "0002",
                "lineage": lineage,
                "files": {"model.onnx": entry},
                "comparison": Comparison(champion="0001", old_test=OUTCOME, fresh=OUTCOME),
            }
        ),
        "task spec": manifest.spec,
        "verdict": VERDICT,
        "request": request(manifest, Snapshot(labelled_rows=1, unlabelled_rows=0, files={LABELLED_FILE: entry})),
        "result": JobResult(request_id="r", status="refused", detail="gate", finished=2.0, seconds=1.0),
        "rollout": Rollout(
            task="support", generation=3, stable="0002", canary="0003", canary_share=0.1, history=(change,)
        ),
        "alert": AlertMessage(
            status="firing",
            alerts=(
                Alert(
                    status="firing",
                    labels={"alertname": DRIFT_ALERT, "task": "support"},
                    startsAt="2026-01-01T00:00:00Z",
                ),
            ),
        ),
    }


MODELS = ("manifest", "task spec", "verdict", "request", "result", "rollout")


@pytest.mark.parametrize("by_alias", [True, False])
@pytest.mark.parametrize("name", MODELS)
def test_through_json_and_back(examples: dict[str, BaseModel], name: str, by_alias: bool) -> None:
    model = examples[name]
    assert type(model).model_validate_json(model.model_dump_json(by_alias=by_alias)) == model


@pytest.mark.parametrize("name", MODELS)
def test_what_is_unknown_is_refused_at_any_depth(examples: dict[str, BaseModel], name: str) -> None:
    model = examples[name]
    content = json.loads(model.model_dump_json(by_alias=True))
    for place in objects(content):
        if "files" in place or "sha256" in place or "metrics" in place or "schema" in place or "schema_number" in place:
            place["surprise"] = 1
            with pytest.raises(ValidationError, match="surprise"):
                type(model).model_validate(content)
            del place["surprise"]
    assert type(model).model_validate_json(json.dumps(content)) == model


def objects(value: object) -> Iterator[dict[str, object]]:
    if isinstance(value, dict):
        yield value
        for inner in list(value.values()):
            yield from objects(inner)


@pytest.mark.parametrize("name", MODELS)
def test_nothing_can_be_changed_afterwards(examples: dict[str, BaseModel], name: str) -> None:
    field = next(iter(type(examples[name]).model_fields))
    with pytest.raises(ValidationError, match="frozen"):
        setattr(examples[name], field, "x")


def test_an_alert_goes_by_alertmanager_s_names_and_ignores_what_it_does_not_know(
    examples: dict[str, BaseModel],
) -> None:
    content = json.loads(examples["alert"].model_dump_json(by_alias=True))
    assert content["alerts"][0]["startsAt"] == "2026-01-01T00:00:00Z"
    content |= {"commonLabels": {}, "externalURL": "http://a", "truncatedAlerts": 0}
    content["alerts"][0]["silenceURL"] = "http://b"
    assert AlertMessage.model_validate(content) == examples["alert"]
    with pytest.raises(ValidationError, match="version"):
        AlertMessage.model_validate(content | {"version": "3"})


texts = st.text(st.characters(exclude_categories=("Cs",)))
finite = st.floats(allow_nan=False, allow_infinity=False)
shares = st.floats(0, 1)
positive = st.floats(0, exclude_min=True, allow_nan=False, allow_infinity=False)
predictions = st.builds(
    PredictionRecord,
    id=texts.filter(lambda text: 0 < len(text) <= 128),
    time=positive,
    task=st.from_regex(r"[a-z0-9]([a-z0-9-]{0,46}[a-z0-9])?", fullmatch=True, alphabet="abz09-"),
    release=st.from_regex(r"[0-9]{4,8}", fullmatch=True, alphabet="0123456789"),
    text=texts,
    text_sha256=st.none(),
    length=st.integers(0, 10**6),
    unknown_share=shares,
    fragmentation=st.floats(0, 100),
    label=texts,
    score=shares,
    logits=st.lists(finite, max_size=5).map(tuple),
    projection=st.lists(finite, max_size=5).map(tuple),
    latency_ms=st.floats(0, 1e6),
)


@given(predictions)
def test_a_prediction_is_one_line_that_reads_back_the_same(record: PredictionRecord) -> None:
    line = record.model_dump_json()
    assert "\n" not in line
    assert PredictionRecord.model_validate_json(line) == record


@given(predictions, st.sampled_from(["unknown_share", "score", "logits", "fragmentation", "latency_ms", "time"]))
def test_a_prediction_holds_no_nan(record: PredictionRecord, field: str) -> None:
    for value in (float("nan"), float("inf"), float("-inf")):
        wrong = (value,) if field == "logits" else value
        with pytest.raises(ValidationError):
            PredictionRecord.model_validate(record.model_dump() | {field: wrong})


@given(predictions)
def test_a_prediction_has_its_text_or_its_digest(record: PredictionRecord) -> None:
    digest = {"text": None, "text_sha256": "a" * 64}
    assert PredictionRecord.model_validate(record.model_dump() | digest).text is None
    for wrong in (digest | {"text": "x"}, digest | {"text_sha256": None}):
        with pytest.raises(ValidationError, match="exactly one"):
            PredictionRecord.model_validate(record.model_dump() | wrong)


@pytest.mark.parametrize(
    "change", [{"id": ""}, {"id": "x" * 129}, {"task": "Support"}, {"task": "a" * 49}, {"task": "a-"}, {"time": 0}]
)
def test_feedback_that_is_none(change: dict[str, object]) -> None:
    whole = {"id": "a", "time": 1.0, "task": "support", "label": "x"}
    assert FeedbackRecord.model_validate(whole).label == "x"
    with pytest.raises(ValidationError, match=next(iter(change))):
        FeedbackRecord.model_validate(whole | change)


def test_a_manifest_names_each_label_once(examples: dict[str, BaseModel]) -> None:
    whole = examples["manifest"].model_dump()
    with pytest.raises(ValidationError, match="a label twice"):
        Manifest.model_validate(whole | {"labels": ("a", "b", "a")})


def test_a_paired_outcome_s_accuracies() -> None:
    assert (OUTCOME.rows, OUTCOME.champion_accuracy, OUTCOME.candidate_accuracy) == (100, 0.84, 0.91)
    empty = PairedOutcome(both_right=0, champion_only=0, candidate_only=0, both_wrong=0)
    assert (empty.rows, empty.champion_accuracy, empty.candidate_accuracy) == (0, 0.0, 0.0)


def test_the_latest_verdict(home: Home) -> None:
    assert read_latest(home, "support") is None
    path = latest_path(home, "support")
    path.parent.mkdir(parents=True)
    path.write_text(VERDICT.model_dump_json())
    assert read_latest(home, "support") == VERDICT
    path.write_text("{")
    assert read_latest(home, "support") is None


class TestRequests:
    @pytest.fixture
    def folder(self, tmp_path: Path, manifest: Manifest) -> Path:
        (tmp_path / LABELLED_FILE).write_text('{"text": "a", "label": "b"}\n')
        (tmp_path / UNLABELLED_FILE).write_text("")
        files = {
            name: FileEntry(sha256=sha256_file(tmp_path / name), size=(tmp_path / name).stat().st_size)
            for name in (LABELLED_FILE, UNLABELLED_FILE)
        }
        made = request(manifest, Snapshot(labelled_rows=1, unlabelled_rows=0, files=files))
        (tmp_path / REQUEST_FILE).write_text(made.model_dump_json())
        return tmp_path

    def test_a_whole_one_reads_back(self, folder: Path, manifest: Manifest) -> None:
        assert read_request(folder).spec == manifest.spec

    @pytest.mark.parametrize(
        "damage",
        [
            lambda folder: (folder / LABELLED_FILE).write_text('{"text": "a", "label": "c"}\n'),
            lambda folder: (folder / UNLABELLED_FILE).unlink(),
            lambda folder: (folder / UNLABELLED_FILE).write_text("\n"),
            lambda folder: (folder / REQUEST_FILE).unlink(),
            lambda folder: (folder / REQUEST_FILE).write_text("{"),
            lambda folder: (folder / REQUEST_FILE).write_text(
                (folder / REQUEST_FILE).read_text().replace(f'"{LABELLED_FILE}"', '"../labelled.jsonl"')
            ),
        ],
    )
    def test_a_damaged_one_is_refused(self, folder: Path, damage: Callable[[Path], object]) -> None:
        damage(folder)
        with pytest.raises(RequestCorruptError, match=r"expected|malformed"):
            read_request(folder)

    def test_a_result_that_is_not_there_or_not_whole_is_none(self, tmp_path: Path) -> None:
        assert read_result(tmp_path) is None
        result = JobResult(request_id="r", status="published", release="0002", detail="", finished=2.0, seconds=1.0)
        (tmp_path / RESULT_FILE).write_text(result.model_dump_json())
        assert read_result(tmp_path) == result
        (tmp_path / RESULT_FILE).write_text(result.model_dump_json()[:-5])
        assert read_result(tmp_path) is None
