"""Each place where a kill leaves a step half done, set up by hand, and then one pass after another."""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from contracts.alert import Alert
from contracts.files import write_atomic
from contracts.home import Home
from contracts.retrain import RESULT_FILE
from contracts.rollout import promote, read_rollout, rollback, try_canary, try_shadow
from controller.alerts import answer_alert
from controller.jobs import ProcessRunner
from controller.reconcile import Reconciler
from controller.record import DecisionRecord, read_decisions, record_path
from controller.request_store import read_attempts
from controller.settings import ControllerSettings

ALERT = Alert.model_validate(
    {
        "status": "firing",
        "labels": {"alertname": "PerennialDrift", "task": "support"},
        "startsAt": "2027-01-15T08:00:00Z",
    }
)


@pytest.fixture
def told() -> list[DecisionRecord]:
    return []


@pytest.fixture
def reconciler(
    home: Home, tmp_path: Path, told: list[DecisionRecord], monkeypatch: pytest.MonkeyPatch
) -> Callable[..., Reconciler]:
    """A new one, as after a restart: it knows only what is on disk."""
    (tmp_path / "plan").write_text("better")
    monkeypatch.setenv("BEHAVIOUR", str(tmp_path))

    def make(**settings: Any) -> Reconciler:
        command = (sys.executable, str(Path(__file__).parent / "stand_in_job.py"))
        given = ControllerSettings(**{"stop_grace_seconds": 1.0, **settings})
        return Reconciler(
            home, given, ProcessRunner(home, settings.get("job_command", command)), time.time, told.append
        )

    return make


def until_ended(make: Callable[..., Reconciler], told: list[DecisionRecord], **settings: Any) -> DecisionRecord:
    deadline = time.monotonic() + 60
    keeper = make(**settings)
    while not told or told[-1].action == "retrain":
        assert time.monotonic() < deadline
        keeper.step()
        time.sleep(0.05)
    return told[-1]


def drop_last_line(home: Home, keep: int = 0) -> None:
    """As a kill leaves it: the last line is missing, or only its first bytes are there."""
    lines = record_path(home).read_bytes().splitlines(keepends=True)
    record_path(home).write_bytes(b"".join(lines[:-1]) + lines[-1][:keep])


@pytest.mark.parametrize("keep", [0, 40])
def test_killed_between_freezing_and_recording(
    troubled: Any, reconciler: Any, told: list[DecisionRecord], keep: int
) -> None:
    home = troubled()
    answer = answer_alert(home, ALERT, time.time())
    drop_last_line(home, keep)
    assert answer_alert(home, ALERT, time.time()).decision.kind == "duplicate"
    assert until_ended(reconciler, told).action == "promote"
    retrains = [found for found in read_decisions(home) if found.action == "retrain"]
    assert [found.request_id for found in retrains] == [answer.decision.request_id]
    assert retrains[0].evidence is not None
    assert retrains[0].figures == {"labels": 60.0}


@pytest.mark.parametrize("keep", [0, 40])
def test_killed_between_promoting_and_recording(
    troubled: Any, reconciler: Any, told: list[DecisionRecord], keep: int
) -> None:
    home = troubled()
    answer_alert(home, ALERT, time.time())
    until_ended(reconciler, told)
    before = read_rollout(home, "support")
    drop_last_line(home, keep)
    reconciler().step()
    assert [found.action for found in told] == ["promote", "promote"]
    assert [found.action for found in read_decisions(home)] == ["retrain", "promote"]
    assert read_rollout(home, "support") == before


def test_a_promotion_ends_the_canary_of_the_champion_and_says_so(
    troubled: Any, reconciler: Any, told: list[DecisionRecord], make_release: Any
) -> None:
    home = troubled()
    tried, watched = make_release(home).version, make_release(home).version
    try_canary(home, "support", tried, 0.1, by="somebody", reason="by hand", now=time.time())
    try_shadow(home, "support", watched, by="somebody", reason="by hand", now=time.time())
    answer_alert(home, ALERT, time.time())
    outcome = until_ended(reconciler, told)
    assert (outcome.action, outcome.kind) == ("promote", "better")
    assert f"The canary {tried}, tried beside 0001, ends." in outcome.reason
    rollout = read_rollout(home, "support")
    assert rollout is not None
    assert (rollout.stable, rollout.canary, rollout.shadow) == (outcome.candidate, None, watched)
    assert [change.action for change in rollout.history[-2:]] == ["end_trial", "promote"]
    # Killed before it was recorded: the promotion is found and not made again, trials and all.
    drop_last_line(home)
    reconciler().step()
    assert told[-1].action == "promote"
    assert read_rollout(home, "support") == rollout


def test_a_rollback_before_the_promotion_was_recorded_stands(
    troubled: Any, reconciler: Any, told: list[DecisionRecord]
) -> None:
    home = troubled()
    answer_alert(home, ALERT, time.time())
    until_ended(reconciler, told)
    drop_last_line(home)
    rollback(home, "support", by="somebody", reason="it is worse", now=time.time())
    reconciler().step()
    rollout = read_rollout(home, "support")
    assert rollout is not None
    assert rollout.stable == "0001"
    assert [found.action for found in read_decisions(home)] == ["retrain", "promote"]


def test_a_champion_rolled_back_before_the_job_began_costs_no_training(
    troubled: Any, reconciler: Any, told: list[DecisionRecord], make_release: Any, tmp_path: Path
) -> None:
    home = troubled()
    answer_alert(home, ALERT, time.time())
    made = make_release(home)
    promote(home, "support", made.version, by="somebody", reason="by hand", now=time.time())
    reconciler().step()
    assert (told[-1].action, told[-1].kind) == ("refuse", "champion_replaced")
    assert not (tmp_path / "runs").exists()


def test_a_job_that_cannot_even_be_started_ends_as_failed(
    troubled: Any, reconciler: Any, told: list[DecisionRecord]
) -> None:
    home = troubled()
    answer_alert(home, ALERT, time.time())
    keeper = reconciler(job_command=("/no/such/program",))
    for _ in range(4):
        keeper.step()
    assert (told[-1].action, told[-1].kind) == ("failed", "job_died")
    assert keeper.step() == set()


@pytest.mark.parametrize(
    ("change", "kind"),
    [({"request_id": "support-0001-00000000"}, "bad_request"), ({"release": "0099"}, "bad_release")],
)
def test_a_result_that_is_wrong_is_no_promotion(
    troubled: Any, reconciler: Any, told: list[DecisionRecord], change: dict[str, str], kind: str
) -> None:
    home = troubled()
    request = answer_alert(home, ALERT, time.time()).decision.request_id
    result = {
        "request_id": request, "status": "published", "release": "0002", "detail": "", "finished": 1.0, "seconds": 1.0
    }  # fmt: skip
    content = json.dumps(result | change).encode()
    write_atomic(home.requests("support") / str(request) / RESULT_FILE, content)
    reconciler().step()
    assert told[-1].kind == kind
    rollout = read_rollout(home, "support")
    assert rollout is not None
    assert rollout.stable == "0001"


def test_a_candidate_whose_files_were_damaged_is_refused(
    troubled: Any, reconciler: Any, told: list[DecisionRecord]
) -> None:
    home = troubled()
    request = answer_alert(home, ALERT, time.time()).decision.request_id
    keeper = reconciler()
    assert keeper.step() == {"support"}
    folder = home.requests("support") / str(request)
    deadline = time.monotonic() + 60
    while not (folder / RESULT_FILE).exists():
        assert time.monotonic() < deadline
        time.sleep(0.05)
    with (home.release("support", "0002") / "model.onnx").open("ab") as file:
        file.write(b"x")
    keeper.step()
    assert (told[-1].action, told[-1].kind) == ("refuse", "bad_release")


def test_an_unreadable_rollout_is_waited_out_without_training_again(
    troubled: Any, reconciler: Any, told: list[DecisionRecord], tmp_path: Path
) -> None:
    home = troubled()
    request = answer_alert(home, ALERT, time.time()).decision.request_id
    keeper = reconciler()
    keeper.step()
    while not (home.requests("support") / str(request) / RESULT_FILE).exists():
        time.sleep(0.05)
    good = home.rollout("support").read_bytes()
    home.rollout("support").write_text("{")
    for _ in range(3):
        keeper.step()
    assert not told
    assert (tmp_path / "runs").read_text().count("\n") == 1
    home.rollout("support").write_bytes(good)
    keeper.step()
    assert told[-1].action == "promote"


def group_exists(group: int) -> bool:
    try:
        os.killpg(group, 0)
    except ProcessLookupError:
        return False
    return True


def test_stopping_ends_the_whole_process_group_and_does_not_count(troubled: Any, reconciler: Any) -> None:
    home = troubled()
    request = str(answer_alert(home, ALERT, time.time()).decision.request_id)
    script = "import os, signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); os.fork(); time.sleep(600)"
    keeper = reconciler(job_command=(sys.executable, "-c", script), stop_grace_seconds=0.5)
    assert keeper.step() == {"support"}
    # Another controller, which is not the job's parent, stops it.
    reconciler().stop()
    events = read_attempts(home.requests("support") / request)
    assert [event.event for event in events] == ["started", "running", "stopped"]
    group = events[1].pid
    assert group is not None
    deadline = time.monotonic() + 10
    while keeper.runner.is_alive(home.requests("support") / request, 1):
        assert time.monotonic() < deadline
    # Whoever adopted the job's child has still to take note of its end.
    while group_exists(group):
        assert time.monotonic() < deadline
        time.sleep(0.05)
