"""A real controller process over real HTTP, with real releases and logs."""

from __future__ import annotations

import os
import random
import shutil
import signal
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import pytest

from contracts.files import is_locked
from contracts.home import Home
from contracts.release_store import list_versions
from contracts.retrain import LABELLED_FILE, LOCK_FILE, REQUEST_FILE, read_request
from contracts.rollout import promote, read_rollout
from contracts.task import RetrainSpec
from controller.jobs import PROCESS_LOCK
from controller.record import read_decisions


def stable(home: Home, task: str = "support") -> str:
    rollout = read_rollout(home, task)
    assert rollout is not None
    return rollout.stable


def actions(home: Home, task: str = "support") -> list[str]:
    return [decision.action for decision in read_decisions(home, task)]


def folders(home: Home, task: str = "support") -> list[Path]:
    return sorted(home.requests(task).iterdir())


def test_an_alert_becomes_a_release_that_serves(troubled: Any, controller: Any, alert_body: Any) -> None:
    home = troubled()
    controller.start()
    answer = controller.post(alert_body())
    assert answer.status_code == 202
    decision = answer.json()["decisions"][0]
    assert (decision["action"], decision["task"]) == ("retrain", "support")
    request = read_request(home.requests("support") / decision["request_id"])
    assert request.snapshot.labelled_rows == 60
    assert request.snapshot.unlabelled_rows == 20
    assert request.evidence is not None
    promoted = controller.outcome()
    assert promoted.action == "promote", promoted.reason
    assert (promoted.release, promoted.candidate, promoted.request_id) == ("0001", "0002", decision["request_id"])
    assert promoted.comparison is not None
    assert promoted.figures["fresh_gain"] == pytest.approx(19 / 44)
    assert stable(home) == "0002"
    listed = controller.get("/v1/decisions?task=support").json()["decisions"]
    assert [found["action"] for found in listed] == ["retrain", "promote"]
    assert listed[0]["evidence"]["verdict"] == "drift"
    metrics = controller.get("/metrics").text
    assert 'perennial_alerts_total{status="firing"} 1.0' in metrics
    assert 'perennial_decisions_total{action="promote",task="support"} 1.0' in metrics
    assert 'perennial_training_job_running{task="support"} 0.0' in metrics
    assert controller.get("/livez").status_code == controller.get("/readyz").status_code == 200
    assert controller.terminate() == 0


def test_the_same_alert_makes_one_request(troubled: Any, controller: Any, alert_body: Any) -> None:
    home = troubled()
    controller.behave("slow")
    controller.start()
    answers: list[str] = []

    def send() -> None:
        spelled = alert_body(starts_at="2027-01-15T09:00:00.000+01:00") if len(answers) % 2 else alert_body()
        answers.append(controller.post(spelled).json()["decisions"][0]["action"])

    senders = [threading.Thread(target=send) for _ in range(6)]
    for sender in senders:
        sender.start()
    for sender in senders:
        sender.join()
    assert sorted(answers) == ["ignore"] * 5 + ["retrain"]
    assert controller.outcome().action == "promote"
    assert controller.post(alert_body(release="0001")).json()["decisions"][0]["kind"] == "outdated"
    assert len(folders(home)) == 1
    assert actions(home).count("retrain") == actions(home).count("promote") == 1
    assert controller.runs() == 1


def test_two_tasks_at_once_are_trained_one_after_the_other(troubled: Any, controller: Any, alert_body: Any) -> None:
    home = troubled("support")
    troubled("sales")
    controller.behave("slow")
    controller.start()
    decisions = controller.post(alert_body("support", "sales")).json()["decisions"]
    assert [(found["action"], found["kind"]) for found in decisions] == [("retrain", "hurt"), ("wait", "busy")]
    controller.outcome("support")
    assert controller.post(alert_body("support", "sales")).json()["decisions"][1]["action"] == "retrain"
    assert controller.outcome("sales").action == "promote"
    assert (stable(home, "support"), stable(home, "sales")) == ("0002", "0002")


def test_two_controllers_share_a_home(troubled: Any, controller: Any, alert_body: Any, tmp_path: Path) -> None:
    home = troubled()
    controller.behave("slow")
    other = type(controller)(home, tmp_path / "behaviour", controller.settings)
    controller.start()
    other.start()
    try:
        found = [program.post(alert_body()).json()["decisions"][0]["action"] for program in (controller, other)]
        assert found == ["retrain", "ignore"]
        assert controller.outcome().action == "promote"
    finally:
        other.terminate()
        other.client.close()
    assert actions(home).count("promote") == 1
    assert controller.runs() == 1


@pytest.mark.parametrize(
    ("word", "action", "kind"),
    [("worse", "refuse", "no_fresh_gain"), ("gate", "refuse", "gate")],
)
def test_a_candidate_that_is_not_better_leaves_the_champion(
    troubled: Any, controller: Any, alert_body: Any, write_log: Any, word: str, action: str, kind: str
) -> None:
    home = troubled(retrain=RetrainSpec(min_new_labels=40, cooldown_minutes=0))
    controller.behave(word)
    controller.start()
    controller.post(alert_body())
    outcome = controller.outcome()
    assert (outcome.action, outcome.kind) == (action, kind)
    assert stable(home) == "0001"
    again = controller.post(alert_body()).json()["decisions"][0]
    assert again["kind"] == "tried"
    assert "90 labelled records" in again["reason"]
    write_log(home, rows=40, labelled=40, name="more", texts=lambda number: f"paisa {number}")
    assert controller.post(alert_body()).json()["decisions"][0]["action"] == "retrain"
    controller.outcome(number=2)
    assert len(folders(home)) == 2


def test_a_job_that_failed_leaves_the_champion_and_is_tried_again_after_the_cool_down(
    troubled: Any, controller: Any, alert_body: Any
) -> None:
    home = troubled(retrain=RetrainSpec(min_new_labels=40, cooldown_minutes=0.1))
    controller.behave("failed")
    controller.start()
    controller.post(alert_body())
    outcome = controller.outcome()
    assert (outcome.action, outcome.kind) == ("failed", "job_failed")
    assert stable(home) == "0001"
    assert controller.post(alert_body()).json()["decisions"][0]["kind"] == "cooldown"
    deadline = time.monotonic() + 30
    while controller.post(alert_body()).json()["decisions"][0]["action"] != "retrain":
        assert time.monotonic() < deadline, "the cool-down of six seconds is over"
        time.sleep(0.2)
    controller.outcome(number=2)
    assert len(folders(home)) == 2


def test_a_job_that_dies_is_tried_three_times(troubled: Any, controller: Any, alert_body: Any) -> None:
    home = troubled()
    controller.behave("die")
    controller.start()
    controller.post(alert_body())
    outcome = controller.outcome()
    assert (outcome.action, outcome.kind) == ("failed", "job_died")
    assert "3 times" in outcome.reason
    assert "out of memory" in outcome.reason
    assert controller.runs() == 3
    assert stable(home) == "0001"
    assert controller.post(alert_body()).json()["decisions"][0]["kind"] == "cooldown"


def test_a_job_that_hangs_is_ended_by_its_time_limit(troubled: Any, controller: Any, alert_body: Any) -> None:
    home = troubled()
    controller.behave("hang")
    controller.settings |= {"job_timeout_seconds": 1.0}
    controller.start()
    request = controller.post(alert_body()).json()["decisions"][0]["request_id"]
    assert controller.outcome().kind == "job_timeout"
    assert not is_locked(home.requests("support") / request / LOCK_FILE)
    assert not is_locked(home.requests("support") / request / PROCESS_LOCK)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_controller_that_is_stopped_ends_its_job_and_starts_it_again(
    troubled: Any, controller: Any, alert_body: Any, wait_for: Any, number: signal.Signals
) -> None:
    home = troubled()
    # With one attempt allowed, an attempt that the stop had used up would show.
    controller.settings |= {"job_attempts": 1}
    controller.behave("hang", "better")
    controller.start()
    request = controller.post(alert_body()).json()["decisions"][0]["request_id"]
    lock = home.requests("support") / request / LOCK_FILE
    wait_for(lambda: is_locked(lock))
    wait_for(lambda: 'perennial_training_job_running{task="support"} 1.0' in controller.get("/metrics").text)
    assert controller.terminate(number) == 0
    assert not is_locked(lock)
    assert actions(home) == ["retrain"]
    controller.start()
    assert controller.outcome().action == "promote"
    assert controller.runs() == 2


def test_killed_over_and_over_it_promotes_exactly_once(troubled: Any, controller: Any, alert_body: Any) -> None:
    home = troubled()
    controller.behave("slow")
    rng = random.Random(5)
    for _ in range(8):
        controller.start()
        sender = threading.Thread(target=_send_quietly, args=(controller, alert_body()))
        sender.start()
        time.sleep(rng.uniform(0.0, 0.35))
        controller.kill()
        sender.join()
    controller.start()
    controller.post(alert_body())
    assert controller.outcome().action == "promote"
    rollout = read_rollout(home, "support")
    assert rollout is not None
    assert [change.version for change in rollout.history] == ["0001", "0002"]
    assert list_versions(home, "support") == ["0001", "0002"]
    assert len(folders(home)) == 1
    assert actions(home).count("retrain") == actions(home).count("promote") == 1


def _send_quietly(controller: Any, body: object) -> None:
    try:
        httpx.post(f"{controller.url}/alerts", json=body, timeout=20)
    except httpx.HTTPError:
        return


def test_a_job_outlives_a_killed_controller_and_is_found_by_the_next(
    troubled: Any, controller: Any, alert_body: Any, wait_for: Any
) -> None:
    home = troubled()
    controller.behave("hang", "better")
    controller.start()
    request = controller.post(alert_body()).json()["decisions"][0]["request_id"]
    lock = home.requests("support") / request / LOCK_FILE
    wait_for(lambda: is_locked(lock))
    controller.kill()
    controller.start()
    wait_for(lambda: 'running{task="support"} 1.0' in controller.get("/metrics").text)
    assert controller.runs() == 1
    os.kill(int((controller.behaviour / "runs").read_text()), signal.SIGKILL)
    assert controller.outcome().action == "promote"
    assert controller.runs() == 2


@pytest.mark.parametrize("name", [LABELLED_FILE, REQUEST_FILE])
def test_a_damaged_request_fails_and_says_so(troubled: Any, controller: Any, alert_body: Any, name: str) -> None:
    home = troubled()
    controller.behave("die")
    controller.settings |= {"reconcile_seconds": 2.0}
    controller.start()
    request = controller.post(alert_body()).json()["decisions"][0]["request_id"]
    controller.kill()
    (home.requests("support") / request / name).write_text("{}\n")
    controller.start()
    outcome = controller.outcome()
    assert (outcome.action, outcome.kind) == ("failed", "bad_request")
    assert name in outcome.reason
    assert stable(home) == "0001"


def test_a_champion_that_was_replaced_meanwhile_is_not_overwritten(
    troubled: Any, controller: Any, alert_body: Any, make_release: Callable[..., Any], wait_for: Any
) -> None:
    home = troubled()
    controller.behave("slow")
    controller.start()
    controller.post(alert_body())
    wait_for(lambda: controller.runs() == 1)
    made = make_release(home)
    promote(home, "support", made.version, by="somebody", reason="by hand", now=time.time())
    assert controller.outcome().kind == "champion_replaced"
    assert stable(home) == made.version


def test_a_champion_that_was_removed_meanwhile_is_no_obstacle_to_its_successor(
    troubled: Any, controller: Any, alert_body: Any, wait_for: Any
) -> None:
    home = troubled()
    controller.behave("slow")
    controller.start()
    controller.post(alert_body())
    wait_for(lambda: (home.release("support", "0002") / "manifest.json").exists())
    shutil.rmtree(home.release("support", "0001"))
    assert controller.outcome().action == "promote"
    assert stable(home) == "0002"
    shutil.rmtree(home.release("support", "0002"))
    answer = controller.post(alert_body(starts_at="2027-02-01T00:00:00Z")).json()["decisions"][0]
    assert (answer["action"], answer["kind"]) == ("wait", "no_champion")
