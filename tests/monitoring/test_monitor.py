"""The whole monitor on real releases and a real log: looks, gauges over HTTP, alerts over HTTP."""

from __future__ import annotations

import http.client
import logging
import threading
from collections.abc import Callable
from typing import Any
from urllib.parse import urlsplit

import pytest

from contracts.home import Home
from contracts.release import Manifest
from contracts.rollout import promote
from contracts.task import MonitorSpec
from contracts.verdict import read_latest
from monitoring.monitor import run
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
