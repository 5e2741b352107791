"""The whole monitor on real releases and a real log: looks, gauges over HTTP, alerts over HTTP."""

from __future__ import annotations

import http.client
import logging
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from prometheus_client import generate_latest

from contracts.home import Home
from contracts.release import REFERENCE_FILE, Manifest
from contracts.rollout import promote
from contracts.task import MonitorSpec
from contracts.verdict import read_latest
from monitoring.gauges import Gauges
from monitoring.monitor import TaskWatch, look_at, run
from monitoring.settings import MonitorSettings
from monitoring.state import read_verdicts

Traffic = Any  # tests/monitoring/conftest.py
SPEC = MonitorSpec(window=100, min_window=40)
ONCE = MonitorSettings(once=True, port=None)


@pytest.fixture
def released(home: Home, make_release: Callable[..., Manifest]) -> Manifest:
    manifest = make_release(home, monitor=SPEC)
    promote(home, "support", manifest.version, by="test", reason="first", now=1.0)
    return manifest


@pytest.fixture(autouse=True)
def no_reports(monkeypatch: pytest.MonkeyPatch) -> None:
    """Evidently takes seconds to import; one test elsewhere does."""
    monkeypatch.setattr("monitoring.monitor.write_report", lambda *_: None)


def test_an_empty_home_is_no_error(home: Home) -> None:
    assert run(home, ONCE) == 0


@pytest.mark.usefixtures("released")
def test_unchanged_traffic_is_ok_and_foreign_traffic_alerts(
    home: Home, traffic: Traffic, caplog: pytest.LogCaptureFixture
) -> None:
    traffic.send(200)
    with caplog.at_level(logging.INFO):
        assert run(home, ONCE, clock=lambda: traffic.clock) == 0
    latest = read_latest(home, "support")
    assert latest is not None
    assert (latest.verdict, latest.window_id, latest.rows) == ("ok", "0001-000002", 100)
    traffic.send(200, foreign=0.7)
    traffic.feed_back(traffic.ids[-50:], right=20)
    with caplog.at_level(logging.INFO):
        assert run(home, ONCE, clock=lambda: traffic.clock) == 0
    latest = read_latest(home, "support")
    assert latest is not None
    assert (latest.verdict, latest.run, latest.alerting) == ("drift", 2, True)
    assert latest.accuracy is not None
    assert (latest.accuracy.labelled, latest.accuracy.measured) == (50, 0.4)
    assert [verdict.verdict for verdict in read_verdicts(home, "support")] == ["ok", "ok", "drift", "drift"]
    assert "support 0001 window 0001-000004 (100 rows): drift (" in caplog.text
    with caplog.at_level(logging.INFO):
        run(home, ONCE, clock=lambda: traffic.clock)
    assert "no new window; support 0001 window 0001-000004 (100 rows): drift (" in caplog.text


@pytest.mark.usefixtures("released")
def test_a_long_catch_up_is_done_in_parts(home: Home, traffic: Traffic, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("monitoring.evaluation.MOST_WINDOWS", 2)
    traffic.send(500)
    known = TaskWatch()
    look_at(home, "support", known, ONCE, Gauges(), lambda: traffic.clock, threading.Event())
    assert (len(read_verdicts(home, "support")), known.watch.behind) == (2, True)
    assert run(home, ONCE, clock=lambda: traffic.clock) == 0
    assert len(read_verdicts(home, "support")) == 5


def scrape(url: str) -> str:
    parts = urlsplit(url)
    connection = http.client.HTTPConnection(str(parts.hostname), parts.port, timeout=5)
    connection.request("GET", parts.path)
    page = connection.getresponse().read().decode()
    connection.close()
    return page


@pytest.mark.usefixtures("released")
def test_metrics_over_http(home: Home, traffic: Traffic, caplog: pytest.LogCaptureFixture) -> None:
    traffic.send(200, foreign=0.7)
    stop = threading.Event()
    settings = MonitorSettings(port=0, interval_seconds=0.05)
    with caplog.at_level(logging.INFO):
        thread = threading.Thread(
            target=run, args=(home, settings), kwargs={"clock": lambda: traffic.clock, "stop": stop}
        )
        thread.start()
        try:
            page = ""
            while "perennial_monitor_last_run" not in page:
                assert thread.is_alive()
                lines = [record.getMessage() for record in caplog.records if "metrics on" in record.getMessage()]
                if lines:
                    page = scrape(lines[0].split()[-1])
                stop.wait(0.02)
        finally:
            stop.set()
            thread.join()
    assert 'perennial_drift_alerting{release="0001",task="support"} 1.0' in page
    assert 'perennial_drift{release="0001",task="support"} 1.0' in page
    assert 'perennial_accuracy{release="0001",source="estimated",task="support"}' in page
    assert 'perennial_drift_score{detector="embedding",release="0001",task="support"}' in page
    assert "nan" not in page.lower()


@pytest.mark.usefixtures("released")
def test_one_damaged_task_does_not_stop_the_others(
    home: Home, make_release: Callable[..., Manifest], traffic: Traffic, caplog: pytest.LogCaptureFixture
) -> None:
    make_release(home, task="another", monitor=SPEC)
    promote(home, "another", "0001", by="test", reason="first", now=1.0)
    reference = home.release("another", "0001") / REFERENCE_FILE
    whole = reference.read_bytes()
    reference.write_bytes(b"damaged")
    traffic.send(100)
    tasks: dict[str, TaskWatch] = {}

    def look() -> list[bool]:
        return [
            look_at(
                home,
                task,
                tasks.setdefault(task, TaskWatch()),
                ONCE,
                Gauges(),
                lambda: traffic.clock,
                threading.Event(),
            )
            for task in home.tasks()
        ]

    with caplog.at_level(logging.INFO):
        assert [look(), look()] == [[False, True], [False, True]]
        assert sum("another not judged" in record.getMessage() for record in caplog.records) == 1
        reference.write_bytes(whole)
        assert look() == [True, True]
    assert "another judged again" in caplog.text
    assert read_latest(home, "support") is not None
    reference.write_bytes(b"damaged")
    assert run(home, ONCE, clock=lambda: traffic.clock) == 1, "a single pass says with its exit code that it failed"


@pytest.mark.usefixtures("released")
def test_a_replaced_release_leaves_no_series_behind(
    home: Home, make_release: Callable[..., Manifest], traffic: Traffic
) -> None:
    make_release(home, monitor=SPEC)
    gauges, known = Gauges(), TaskWatch()
    traffic.send(200, foreign=0.7)
    look_at(home, "support", known, ONCE, gauges, lambda: traffic.clock, threading.Event())
    assert 'release="0001"' in generate_latest(gauges.registry).decode()
    promote(home, "support", "0002", by="test", reason="better", now=2.0)
    look_at(home, "support", known, ONCE, gauges, lambda: traffic.clock, threading.Event())
    page = generate_latest(gauges.registry).decode()
    assert 'release="0001"' not in page
    assert 'perennial_drift_insufficient{release="0002",task="support"} 1.0' in page


WATCH = """
import sys
from pathlib import Path
from contracts.home import Home
from monitoring import monitor
from monitoring.settings import MonitorSettings
monitor.write_report = lambda *_: None
monitor.run(Home(Path(sys.argv[1])), MonitorSettings(port=None, interval_seconds=0.05, idle_seconds=1e9))
"""


@pytest.mark.usefixtures("released")
def test_killed_again_and_again_it_judges_each_window_once(home: Home, traffic: Traffic) -> None:
    root = Path(__file__).resolve().parents[2]
    for kill in range(3):
        process = subprocess.Popen([sys.executable, "-c", WATCH, str(home.root)], cwd=root)
        try:
            wanted = 4 * (kill + 1)
            while len(read_verdicts(home, "support")) < wanted - 2:
                assert process.poll() is None
                traffic.send(100 * wanted - traffic.sent if traffic.sent < 100 * wanted else 0)
                time.sleep(0.01)
        finally:
            process.kill()
            process.wait()
    run(home, ONCE, clock=lambda: traffic.clock)
    found = read_verdicts(home, "support")
    assert [verdict.window_id for verdict in found] == [f"0001-{number:06d}" for number in range(1, 13)]
    assert all(before.ended < after.started for before, after in pairwise(found))
    assert sum(verdict.rows for verdict in found) == traffic.sent


@pytest.mark.usefixtures("released")
def test_a_signal_ends_it_cleanly(home: Home) -> None:
    root = Path(__file__).resolve().parents[2]
    process = subprocess.Popen([sys.executable, "-c", WATCH, str(home.root)], cwd=root)
    try:
        while read_latest(home, "support") is None:
            assert process.poll() is None
            time.sleep(0.01)
        process.terminate()
        assert process.wait(timeout=60) == 0
    finally:
        process.kill()
        process.wait()
