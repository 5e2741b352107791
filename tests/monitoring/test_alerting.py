"""Alerts: what they say, when they are posted, and what happens while nobody answers."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from pathlib import PurePosixPath
from typing import Any

import pytest

from contracts.alert import AlertMessage
from contracts.home import Home
from contracts.release import Manifest
from contracts.rollout import promote
from contracts.task import MonitorSpec
from contracts.verdict import Accuracy, Detector, Verdict
from monitoring.alerting import AlertPostError, firing, post, resolved
from monitoring.gauges import Gauges
from monitoring.monitor import TaskWatch, look_at
from monitoring.settings import MonitorSettings

Receiver = Any  # tests/monitoring/conftest.py
Traffic = Any

VERDICT = Verdict(
    task="support", release="0001", window_id="0001-000004", started=1_800_000_000, ended=1_800_000_300,
    evaluated=1_800_000_310.25, rows=300, verdict="drift", run=2, alerting=True, alert_started=1_800_000_310.25,
    detectors=(
        Detector(name="labels", score=3, p_value=0.4, adjusted_p_value=0.4, effect=0.02, verdict="ok"),
        Detector(name="embedding", score=0.9, p_value=0.0005, adjusted_p_value=0.003, effect=0.41, verdict="drift"),
    ),
    accuracy=Accuracy(
        reference=0.95, labelled=80, measured=0.62, measured_low=0.51, measured_high=0.72, estimated=0.66
    ),
    report="monitoring/support/reports/0001-000004.html",
)  # fmt: skip
ROOT = PurePosixPath("/home/perennial")


def test_what_an_alert_says() -> None:
    message = firing(VERDICT, ROOT).model_dump(by_alias=True)
    assert (message["version"], message["status"]) == ("4", "firing")
    alert = message["alerts"][0]
    assert alert["labels"] == {
        "alertname": "PerennialDrift", "task": "support", "release": "0001", "severity": "warning",
    }  # fmt: skip
    assert alert["annotations"]["summary"] == (
        "Traffic of support/0001 has drifted for 2 windows in a row (embedding); measured accuracy is 0.62 on 80 "
        "labelled predictions (95 % interval 0.51 to 0.72), against 0.95 on held-out texts."
    )
    assert alert["annotations"]["window_id"] == "0001-000004"
    assert alert["annotations"]["report"] == "/home/perennial/monitoring/support/reports/0001-000004.html"
    assert alert["startsAt"] == "2027-01-15T08:05:10.250Z"
    assert alert["endsAt"] == "0001-01-01T00:00:00Z"


def test_the_fingerprint_belongs_to_the_alert_and_not_to_the_window() -> None:
    later = VERDICT.model_copy(update={"window_id": "0001-000005", "run": 3, "evaluated": 1_800_000_900.0})
    other = VERDICT.model_copy(update={"alert_started": 1_800_000_311.0})
    prints = [
        message.alerts[0].fingerprint
        for message in (firing(VERDICT, ROOT), firing(later, ROOT), resolved(later, ROOT, 1_800_001_000.0))
    ]
    assert len(set(prints)) == 1
    assert firing(other, ROOT).alerts[0].fingerprint not in prints


def test_without_labels_the_summary_says_what_is_only_estimated() -> None:
    unlabelled = VERDICT.model_copy(update={"accuracy": Accuracy(reference=0.95, labelled=0, estimated=0.66)})
    said = firing(unlabelled, ROOT).alerts[0].annotations["summary"]
    assert said.endswith("estimated accuracy is 0.66, against 0.95 on held-out texts; no label has arrived yet.")


def test_a_refused_alert_and_a_dead_receiver_are_errors_that_say_what_to_do(receiver: Receiver) -> None:
    receiver.status = 503
    with pytest.raises(AlertPostError, match="503 Service Unavailable"):
        post(receiver.url, firing(VERDICT, ROOT))
    with pytest.raises(AlertPostError, match=r"refused.*Start the controller"):
        post("http://127.0.0.1:9/alerts", firing(VERDICT, ROOT), timeout=1.0)


class Watching:
    """The monitor of one task, driven without waiting."""

    def __init__(self, home: Home, traffic: Traffic, url: str) -> None:
        self.home, self.traffic = home, traffic
        self.settings = MonitorSettings(port=None, alert_url=url, repeat_seconds=60.0, idle_seconds=1e9)
        self.known, self.gauges, self.now = TaskWatch(), Gauges(), traffic.clock

    def restart(self) -> None:
        self.known = TaskWatch()

    def look(self, after: float = 0.0) -> None:
        self.now = max(self.now + after, self.traffic.clock)
        look_at(self.home, "support", self.known, self.settings, self.gauges, lambda: self.now, threading.Event())


@pytest.fixture
def watching(
    home: Home,
    make_release: Callable[..., Manifest],
    traffic: Traffic,
    receiver: Receiver,
    monkeypatch: pytest.MonkeyPatch,
) -> Watching:
    monkeypatch.setattr("monitoring.monitor.write_report", lambda *_: None)
    for _ in range(2):
        make_release(home, monitor=MonitorSpec(window=60, min_window=30))
    promote(home, "support", "0001", by="test", reason="first", now=1.0)
    return Watching(home, traffic, receiver.url)


def test_an_alert_begins_repeats_and_is_resolved_once(watching: Watching, traffic: Traffic, receiver: Receiver) -> None:
    traffic.send(60)
    traffic.send(60, foreign=0.8)
    watching.look()
    assert receiver.taken == [], "one drifted window is not a run"
    traffic.send(60, foreign=0.8)
    watching.look()
    assert receiver.words == ["firing"]
    watching.look(after=30)
    assert receiver.words == ["firing"]
    traffic.feed_back(traffic.ids[-100:], right=40)
    watching.look(after=31)
    assert receiver.words == ["firing", "firing"]
    first, second = (AlertMessage.model_validate(message).alerts[0] for message in receiver.taken)
    assert first.fingerprint == second.fingerprint
    assert "no label has arrived yet" in first.annotations["summary"]
    assert "measured accuracy is 0.40 on 100 labelled" in second.annotations["summary"]
    traffic.send(60)
    watching.look()
    assert receiver.words == ["firing", "firing", "resolved"]
    watching.look(after=1000)
    watching.restart()
    watching.look(after=1000)
    assert receiver.words == ["firing", "firing", "resolved"]


def test_a_promotion_resolves_the_alert_of_the_release_before(
    watching: Watching, traffic: Traffic, receiver: Receiver
) -> None:
    traffic.send(120, foreign=0.8)
    watching.look()
    promote(watching.home, "support", "0002", by="test", reason="better", now=2.0)
    watching.look(after=1)
    assert receiver.words == ["firing", "resolved"]
    assert AlertMessage.model_validate(receiver.taken[1]).alerts[0].labels["release"] == "0001"


def test_a_restart_posts_a_standing_alert_at_once_and_still_resolves_it(
    watching: Watching, traffic: Traffic, receiver: Receiver
) -> None:
    traffic.send(120, foreign=0.8)
    watching.look()
    watching.restart()
    watching.look(after=1)
    assert receiver.words == ["firing", "firing"]
    assert receiver.taken[0]["alerts"][0]["fingerprint"] == receiver.taken[1]["alerts"][0]["fingerprint"]
    watching.restart()
    traffic.send(60)
    watching.look()
    assert receiver.words == ["firing", "firing", "resolved"]


def test_a_controller_that_is_down_is_logged_once_and_told_later(
    watching: Watching, traffic: Traffic, receiver: Receiver, caplog: pytest.LogCaptureFixture
) -> None:
    receiver.status = 503
    traffic.send(120, foreign=0.8)
    with caplog.at_level(logging.INFO):
        for _ in range(4):
            watching.look(after=61)
    assert sum("503" in record.getMessage() for record in caplog.records) == 1
    receiver.status = 200
    with caplog.at_level(logging.INFO):
        watching.look(after=1)
        assert receiver.words == [], "not before the next repeat"
        watching.look(after=60)
    assert receiver.words == ["firing"]
    assert sum("taken again" in record.getMessage() for record in caplog.records) == 1
    receiver.status = 503
    traffic.send(60)
    watching.look(after=1)
    receiver.status = 200
    watching.look(after=61)
    watching.look(after=61)
    assert receiver.words == ["firing", "resolved"]


def test_two_alerts_after_one_another_have_two_names(watching: Watching, traffic: Traffic, receiver: Receiver) -> None:
    for foreign in (0.8, 0.8, 0.0, 0.8, 0.8):
        traffic.send(60, foreign=foreign)
        watching.look()
    assert receiver.words == ["firing", "resolved", "firing"]
    assert receiver.taken[0]["alerts"][0]["fingerprint"] != receiver.taken[2]["alerts"][0]["fingerprint"]
