"""Damaged records and files, clocks that jump, and tasks that vanish: the monitor goes on."""

from __future__ import annotations

import http.client
import json
import logging
import shutil
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from contracts.home import Home
from contracts.release import Manifest
from contracts.rollout import promote
from contracts.task import MonitorSpec
from monitoring.monitor import run
from monitoring.notices import Notices, follow_alert
from monitoring.settings import MonitorSettings
from monitoring.state import load_state, read_verdicts, state_path, verdicts_path

Traffic = Any  # tests/monitoring/conftest.py
Receiver = Any
SPEC = MonitorSpec(window=100, min_window=40)
ONCE = MonitorSettings(once=True, port=None)
DAY = 24 * 3600.0


@pytest.fixture(autouse=True)
def no_reports(monkeypatch: pytest.MonkeyPatch) -> None:
    """Evidently takes seconds to import; one test elsewhere does."""
    monkeypatch.setattr("monitoring.monitor.write_report", lambda *_: None)


@pytest.fixture(autouse=True)
def released(home: Home, make_release: Callable[..., Manifest]) -> None:
    promote(home, "support", make_release(home, monitor=SPEC).version, by="test", reason="first", now=1.0)


def look(home: Home, traffic: Traffic) -> int:
    return run(home, ONCE, clock=lambda: traffic.clock)


@pytest.mark.parametrize(
    ("field", "value"),
    [("time", 1e300), ("length", 10**30), ("fragmentation", 1e308), ("projection", [1e308, 0.0])],
)
def test_a_number_beyond_all_sense_is_a_malformed_line(home: Home, traffic: Traffic, field: str, value: object) -> None:
    traffic.send(99)
    (segment,) = home.predictions("support").glob("*/*/*.jsonl")
    damaged = json.loads(traffic.record(False).model_dump_json()) | {field: value}
    with segment.open("a") as file:
        file.write(json.dumps(damaged) + "\n")
    traffic.send(1)
    assert look(home, traffic) == 0
    (verdict,) = read_verdicts(home, "support")
    assert (verdict.rows, verdict.malformed) == (100, 1)


@pytest.mark.parametrize("damage", ["{", '{"offsets": {"2027-01-15/08/w0.jsonl": -5}}'])
def test_a_damaged_state_is_rebuilt_from_verdicts_of_which_one_is_odd(
    home: Home, traffic: Traffic, damage: str
) -> None:
    traffic.send(200)
    assert look(home, traffic) == 0
    first, second = verdicts_path(home, "support").read_text().splitlines()
    odd = json.loads(second) | {"window_id": "odd"}
    verdicts_path(home, "support").write_text(f"{first}\n{json.dumps(odd)}\n")
    state_path(home, "support").write_text(damage)
    assert load_state(home, "support").numbers == {"0001": 1}
    traffic.send(100)
    assert look(home, traffic) == 0
    assert [verdict.rows for verdict in read_verdicts(home, "support")] == [100, 100, 100]


def test_a_clock_that_ran_years_ahead_does_not_end_the_watch(
    home: Home, traffic: Traffic, caplog: pytest.LogCaptureFixture
) -> None:
    right = traffic.clock
    traffic.send(100)
    look(home, traffic)
    traffic.clock = right + 1000 * DAY
    traffic.send(100)
    look(home, traffic)
    traffic.clock = right + 1000
    look(home, traffic)
    assert "the clock was set back" in caplog.text
    for _ in range(3):
        traffic.send(50)
        look(home, traffic)
    found = read_verdicts(home, "support")
    assert sum(verdict.rows for verdict in found) == traffic.sent
    assert len({verdict.window_id for verdict in found}) == len(found)


def test_an_alert_is_not_held_back_by_a_clock_that_was_set_back(
    home: Home, traffic: Traffic, receiver: Receiver
) -> None:
    traffic.send(200, foreign=0.8)
    look(home, traffic)
    (*_, latest) = read_verdicts(home, "support")
    known = Notices(tried=traffic.clock + DAY, heard=False)
    follow_alert(home, "support", known, latest, receiver.url, 60.0, traffic.clock)
    assert receiver.words == ["firing"]


def test_a_removed_task_leaves_no_series_and_no_alert(
    home: Home, traffic: Traffic, receiver: Receiver, wait_until: Callable[..., None], caplog: pytest.LogCaptureFixture
) -> None:
    traffic.send(200, foreign=0.8)
    stop = threading.Event()
    settings = MonitorSettings(port=0, interval_seconds=0.05, alert_url=receiver.url)
    with caplog.at_level(logging.INFO):
        thread = threading.Thread(
            target=run, args=(home, settings), kwargs={"clock": lambda: traffic.clock, "stop": stop}
        )
        thread.start()
        try:
            wait_until(lambda: receiver.words == ["firing"])
            url = next(text.split()[-1] for text in caplog.messages if "metrics on" in text)
            assert 'perennial_drift_alerting{release="0001",task="support"} 1.0' in scrape(url)
            shutil.rmtree(home.releases("support"))
            wait_until(lambda: receiver.words == ["firing", "resolved"])
            wait_until(lambda: 'task="support"' not in scrape(url))
        finally:
            stop.set()
            thread.join()


@pytest.mark.parametrize(("url", "said"), [(None, "--alert-url"), ("http://127.0.0.1:9/alerts", "posted to http")])
def test_it_says_whom_it_tells(home: Home, url: str | None, said: str, caplog: pytest.LogCaptureFixture) -> None:
    stop = threading.Event()
    stop.set()
    with caplog.at_level(logging.INFO):
        run(home, MonitorSettings(port=None, alert_url=url), stop=stop)
    assert said in caplog.text


def scrape(url: str) -> str:
    parts = urlsplit(url)
    connection = http.client.HTTPConnection(str(parts.hostname), parts.port, timeout=5)
    connection.request("GET", parts.path)
    page = connection.getresponse().read().decode()
    connection.close()
    return page


@pytest.fixture(name="wait_until")
def _wait_until() -> Callable[..., None]:
    def wait(look: Callable[[], bool], seconds: float = 30.0) -> None:
        deadline = time.monotonic() + seconds
        while not look():
            assert time.monotonic() < deadline, "waited in vain"
            time.sleep(0.02)

    return wait


def test_a_task_that_vanishes_while_it_is_caught_up_with_does_not_spin(
    home: Home, traffic: Traffic, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr("monitoring.evaluation.MOST_WINDOWS", 1)
    traffic.send(400)
    passes = 0

    def clock() -> float:
        nonlocal passes
        passes += 1
        if passes == 2:
            home.releases("support").rename(tmp_path / "elsewhere")
        assert passes < 50, "it goes round and round"
        return float(traffic.clock)

    assert run(home, ONCE, clock=clock) == 0
