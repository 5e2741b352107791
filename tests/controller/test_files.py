"""What the controller writes: the record, frozen requests, attempts; and the settings that it reads."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest

from contracts.errors import SettingsError
from contracts.home import Home
from contracts.retrain import RetrainRequest, Snapshot, read_request
from contracts.task import DataSpec, TaskSpec
from controller.record import DecisionRecord, append_decision, read_decisions, record_path
from controller.request_store import (
    AttemptEvent,
    append_attempt,
    failed_attempts,
    freeze,
    open_requests,
    read_attempts,
    remove_staged,
    request_folders,
)
from controller.settings import ControllerSettings
from controller.snapshot import Collected, LabelledText

ROWS = Collected(labelled=(LabelledText("zeile\nzwei \u2028 ü", "billing", 7.0),), unlabelled=("x",))


def decision(task: str = "support", action: str = "wait", **values: object) -> DecisionRecord:
    return DecisionRecord.model_validate(
        {"time": 1.0, "task": task, "action": action, "kind": "busy", "reason": "ünï", **values}
    )


def request(identity: str = "support-0001-abcdefab") -> RetrainRequest:
    return RetrainRequest(
        id=identity,
        task="support",
        created=1.0,
        reason="r",
        parent="0001",
        spec=TaskSpec(name="support", data=DataSpec(path="x.csv")),
        snapshot=Snapshot(labelled_rows=0, unlabelled_rows=0, files={}),
    )


def test_the_record_survives_a_torn_line(home: Home) -> None:
    assert read_decisions(home) == []
    append_decision(home, decision())
    append_decision(home, decision("sales"))
    with record_path(home).open("ab") as file:
        file.write(b'{"schema_number":1,"time":2.0,"ta')
    assert len(read_decisions(home)) == 2
    append_decision(home, decision(action="ignore"))
    assert [found.action for found in read_decisions(home, "support")] == ["wait", "ignore"]
    assert len(read_decisions(home)) == 3


def test_a_request_is_frozen_once_and_whole(home: Home) -> None:
    made: list[bool] = []
    threads = [threading.Thread(target=lambda: made.append(freeze(home, request(), ROWS))) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(made) == [False, False, False, True]
    assert [path.name for path in home.requests("support").iterdir()] == ["support-0001-abcdefab"]
    found = read_request(home.requests("support") / "support-0001-abcdefab")
    assert (found.snapshot.labelled_rows, found.snapshot.unlabelled_rows) == (1, 1)


def test_open_are_the_requests_without_an_outcome(home: Home) -> None:
    freeze(home, request("support-0001-aaaaaaaa"), ROWS)
    freeze(home, request("support-0001-bbbbbbbb"), ROWS)
    (home.requests("support") / ".staging-support-0001-cccccccc-1").mkdir()
    (home.requests("support") / "Lost+Found").mkdir()
    ended = decision(action="refuse", request_id="support-0001-aaaaaaaa")
    asked = decision(action="retrain", request_id="support-0001-bbbbbbbb")
    assert [found.id for found in open_requests(home, [ended, asked])] == ["support-0001-bbbbbbbb"]
    remove_staged(home)
    assert not list(home.requests("support").glob(".staging*"))
    assert len(request_folders(home)) == 2


def test_attempts_count_unless_a_controller_ended_them(tmp_path: Path) -> None:
    assert failed_attempts(read_attempts(tmp_path)) == 0
    for event, attempt in (("started", 1), ("running", 1), ("stopped", 1), ("started", 2), ("running", 2)):
        append_attempt(tmp_path, AttemptEvent.model_validate({"event": event, "time": 1.0, "attempt": attempt}))
    with (tmp_path / "attempts.jsonl").open("ab") as file:
        file.write(b'{"event": "star')
    assert failed_attempts(read_attempts(tmp_path)) == 1


def test_settings_come_from_the_environment(tmp_path: Path) -> None:
    found = ControllerSettings.from_environment(
        {
            "PERENNIAL_CONTROLLER_HOST": "0.0.0.0",
            "PERENNIAL_CONTROLLER_PORT": "0",
            "PERENNIAL_CONTROLLER_RECONCILE_SECONDS": "0.5",
            "PERENNIAL_CONTROLLER_JOB_COMMAND": "python -m 'training.job'",
            "PERENNIAL_CONTROLLER_JOB_TEMPLATE": str(tmp_path),
            "PERENNIAL_CONTROLLER_RUNNER": "kubernetes",
        }
    )
    assert (found.host, found.port, found.reconcile_seconds) == ("0.0.0.0", 0, 0.5)
    assert found.job_command == ("python", "-m", "training.job")
    assert found.kubernetes_job_template == tmp_path
    assert ControllerSettings.from_environment({}) == ControllerSettings()
    assert ControllerSettings().port == 3002


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("PORT", "65536"),
        ("PORT", "x"),
        ("PORT", "1.5"),
        ("RECONCILE_SECONDS", "nan"),
        ("RECONCILE_SECONDS", "0"),
        ("JOB_ATTEMPTS", "0"),
        ("JOB_COMMAND", ""),
        ("JOB_COMMAND", "'"),
        ("RUNNER", "slurm"),
        ("RUNNER", "kubernetes"),
    ],
)
def test_settings_that_cannot_be_used_are_named(name: str, value: str) -> None:
    with pytest.raises(SettingsError, match="PERENNIAL_CONTROLLER_"):
        ControllerSettings.from_environment({f"PERENNIAL_CONTROLLER_{name}": value})
