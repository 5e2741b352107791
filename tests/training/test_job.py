"""A retrain request becomes a successor, once, whatever happens on the way."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from contracts.files import sha256_file
from contracts.home import Home
from contracts.reference import load_reference
from contracts.release import REFERENCE_FILE, FileEntry, Manifest
from contracts.release_store import list_versions, verify_release
from contracts.retrain import (
    LABELLED_FILE,
    REQUEST_FILE,
    RESULT_FILE,
    UNLABELLED_FILE,
    RetrainRequest,
    Snapshot,
    read_result,
)
from contracts.task import GateSpec, RetrainSpec
from contracts.verdict import Verdict
from training.data.dataset import thaw
from training.job import main, run

SHIFTED = {"billing": ("paisa", "rupaye"), "delivery": ("saman", "pahuncha"), "other": ("namaste", "shukriya")}
FAST = RetrainSpec(epochs=4, holdout_share=0.3)


@pytest.fixture
def champion(trained: tuple[Home, Manifest], home: Home) -> Manifest:
    """Release 0001 of the shared training, in a home of the test's own."""
    shutil.copytree(trained[0].root, home.root, dirs_exist_ok=True)
    return trained[1]


def write_request(
    home: Home,
    champion: Manifest,
    *,
    gate: GateSpec | None = None,
    labels: int = 90,
    evidence: Verdict | None = None,
) -> Path:
    folder = home.requests("support") / "r-20261121-0001"
    folder.mkdir(parents=True)
    fresh = []
    for index in range(labels):
        label = list(SHIFTED)[index % 3]
        words = SHIFTED[label]
        text = f"mera {words[index % 2]} kahan hai number {index}"
        fresh.append({"text": text, "label": label, "time": 1000.0 + index})
    # What production sent and nobody can mend must not stop a retraining.
    fresh.append({"text": "bell \x07", "label": "billing"})
    (folder / LABELLED_FILE).write_text("".join(json.dumps(row) + "\n" for row in fresh))
    (folder / UNLABELLED_FILE).write_text("")
    files = {
        name: FileEntry(sha256=sha256_file(folder / name), size=(folder / name).stat().st_size)
        for name in (LABELLED_FILE, UNLABELLED_FILE)
    }
    spec = champion.spec.model_copy(update={"retrain": FAST, **({"gate": gate} if gate else {})})
    request = RetrainRequest(
        id=folder.name,
        task="support",
        created=1.0,
        reason="drift",
        evidence=evidence,
        parent=champion.version,
        spec=spec,
        snapshot=Snapshot(labelled_rows=labels, unlabelled_rows=0, files=files),
    )
    (folder / REQUEST_FILE).write_text(request.model_dump_json(by_alias=True))
    return folder


def test_a_request_becomes_a_successor_that_was_compared(home: Home, champion: Manifest) -> None:
    folder = write_request(home, champion)
    times = iter([100.0, 105.0, 130.0])
    result = run(home, folder, now=lambda: next(times))
    assert result.status == "published", result.detail
    assert (result.release, result.finished, result.seconds) == ("0002", 130.0, 30.0)
    assert read_result(folder) == result
    successor = verify_release(home, "support", "0002")
    assert successor.lineage.parent == champion.version
    assert successor.lineage.request_id == folder.name
    assert successor.lineage.base_sha256 == champion.lineage.base_sha256
    assert successor.spec.train.epochs == FAST.epochs
    comparison = successor.comparison
    assert comparison is not None
    old = thaw(home, "support", champion.lineage.data_fingerprint)
    assert comparison.champion == champion.version
    assert comparison.old_test.rows == len(old.test)
    assert comparison.old_test.champion_accuracy == pytest.approx(champion.metrics["accuracy"])
    assert comparison.old_test.candidate_accuracy == pytest.approx(successor.metrics["accuracy"])
    assert comparison.fresh.rows == 27
    assert comparison.fresh.candidate_accuracy > comparison.fresh.champion_accuracy + 0.2
    assert "Against release 0001" in (home.release("support", "0002") / "report.html").read_text()
    # The successor's own data can be thawed in turn, and what it was compared on is not in it.
    assert len(thaw(home, "support", successor.lineage.data_fingerprint).train) > len(old.train)


def test_a_successor_is_watched_against_the_traffic_that_it_was_made_for(home: Home, champion: Manifest) -> None:
    """Compared with the old data, traffic that the successor handles well would seem to drift for ever."""
    drift = Verdict(
        task="support",
        release="0001",
        window_id="0001-000002",
        started=1200.0,
        ended=1299.0,
        evaluated=1300.0,
        rows=100,
        verdict="drift",
        run=2,
        run_started=1060.0,
        alerting=True,
        alert_started=1300.0,
    )
    folder = write_request(home, champion, labels=300, evidence=drift)
    result = run(home, folder)
    assert result.status == "published", result.detail
    successor = verify_release(home, "support", "0002")
    reference = load_reference(home.release("support", "0002") / REFERENCE_FILE)
    held_out = successor.comparison.fresh.rows if successor.comparison else 0
    # A fifth of the fresh texts came before the drift began.
    assert 60 <= reference.rows < held_out
    assert reference.rows == pytest.approx(0.8 * held_out, rel=0.2)


def test_a_result_that_is_there_is_left_alone(home: Home, champion: Manifest) -> None:
    folder = write_request(home, champion, gate=GateSpec(min_accuracy=1.0, max_size_mb=0.001))
    first = run(home, folder)
    assert first.status == "refused"
    assert "max_size_mb" in first.detail
    assert list_versions(home, "support") == ["0001"]
    before = (folder / RESULT_FILE).read_bytes()
    assert run(home, folder) == first
    assert (folder / RESULT_FILE).read_bytes() == before


def test_a_job_killed_before_its_result_reports_the_release_it_made(home: Home, champion: Manifest) -> None:
    folder = write_request(home, champion)
    run(home, folder)
    (folder / RESULT_FILE).unlink()
    again = run(home, folder)
    assert (again.status, again.release) == ("published", "0002")
    assert list_versions(home, "support") == ["0001", "0002"]


def test_a_job_killed_at_work_leaves_no_half_release_and_a_rerun_finishes(home: Home, champion: Manifest) -> None:
    folder = write_request(home, champion)
    command = [sys.executable, "-m", "training.job", str(folder), "--home", str(home.root)]
    with (folder / "job.log").open("wb") as log:
        process = subprocess.Popen(command, stdout=log, stderr=log)
    try:
        deadline = time.monotonic() + 120
        while not list(home.releases("support").glob(".staging-*/tokenizer.json")):
            assert process.poll() is None, (folder / "job.log").read_text()
            assert time.monotonic() < deadline
            time.sleep(0.02)
    finally:
        os.kill(process.pid, signal.SIGKILL)
        process.wait()
    assert list_versions(home, "support") == ["0001"]
    assert read_result(folder) is None
    done = subprocess.run(command, capture_output=True, text=True, timeout=240, check=False)
    assert done.returncode == 0, done.stderr
    assert "published: release 0002" in done.stderr
    verify_release(home, "support", "0002")
    assert list(home.releases("support").glob(".staging-*")) == []


@pytest.mark.parametrize(
    ("damage", "told"),
    [
        ("snapshot", "expected sha256"),
        ("request", "malformed"),
        ("data", "frozen data"),
        ("champion", "model.onnx"),
        ("label", "labels that the task knows"),
        ("base", "was made from"),
    ],
)
def test_what_cannot_be_done_ends_in_a_result_that_says_why(
    home: Home, champion: Manifest, damage: str, told: str
) -> None:
    folder = write_request(home, champion)
    request = json.loads((folder / REQUEST_FILE).read_text())
    if damage == "snapshot":
        (folder / LABELLED_FILE).write_text('{"text": "x", "label": "billing"}\n')
    elif damage == "request":
        (folder / REQUEST_FILE).write_text("{")
    elif damage == "data":
        shutil.rmtree(home.root / "datasets")
    elif damage == "champion":
        (home.release("support", "0001") / "model.onnx").write_bytes(b"torn")
    elif damage == "label":
        (folder / LABELLED_FILE).write_text('{"text": "x", "label": "unheard of"}\n')
        request["snapshot"]["files"][LABELLED_FILE]["sha256"] = sha256_file(folder / LABELLED_FILE)
        (folder / REQUEST_FILE).write_text(json.dumps(request))
    else:
        path = home.release("support", "0001") / "manifest.json"
        manifest = json.loads(path.read_text())
        manifest["lineage"]["base_sha256"] = "1" * 64
        path.write_text(json.dumps(manifest))
    result = run(home, folder)
    assert result.status == "failed"
    assert told in result.detail
    assert list_versions(home, "support") == ["0001"]


def test_exit_codes(home: Home, champion: Manifest, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([str(tmp_path / "nothing"), "--home", str(home.root)]) == 1
    assert "retrain request" in capsys.readouterr().err
    folder = write_request(home, champion, gate=GateSpec(max_size_mb=0.001))
    assert main([str(folder), "--home", str(home.root)]) == 0
    (folder / RESULT_FILE).unlink()
    (folder / REQUEST_FILE).write_text("{")
    assert main([str(folder), "--home", str(home.root)]) == 1
