"""Reports. The first test is the one that imports Evidently."""

from __future__ import annotations

import logging
import os
from collections.abc import Callable
from typing import Any

import pytest

from contracts.home import Home
from contracts.release import Manifest
from contracts.rollout import promote
from contracts.task import MonitorSpec
from contracts.verdict import read_latest
from monitoring.evidently_report import ReportError
from monitoring.monitor import run
from monitoring.report_page import share_script
from monitoring.reports import KEPT, reports_folder, write_index
from monitoring.settings import MonitorSettings


def test_a_look_leaves_a_report_with_our_verdict_and_an_index(
    home: Home, make_release: Callable[..., Manifest], traffic: Any
) -> None:
    manifest = make_release(home, monitor=MonitorSpec(window=100, min_window=40))
    promote(home, "support", manifest.version, by="test", reason="first", now=1.0)
    traffic.send(100)
    traffic.send(200, foreign=0.6)
    traffic.feed_back(traffic.ids[-60:], right=33)
    settings = MonitorSettings(once=True, port=None)

    assert run(home, settings, clock=lambda: traffic.clock) == 0

    latest = read_latest(home, "support")
    assert latest is not None
    assert latest.report == "monitoring/support/reports/0001-000003.html"
    page = (home.root / latest.report).read_text()
    assert "window 0001-000003" in page
    assert '<span class="word drift">drift</span>' in page
    assert "measured accuracy is 0.55 on 60 labelled predictions" in page
    assert "word pieces per word" in page
    assert len(page) < 1_000_000, "Evidently's program belongs into the shared script"
    scripts = list((home.root / latest.report).parent.glob("assets/*.js"))
    assert len(scripts) == 1
    assert f'<script src="assets/{scripts[0].name}"></script>' in page
    index = (home.root / latest.report).with_name("index.html").read_text()
    assert '<a href="0001-000003.html">' in index
    assert "0001-000001" in index
    assert '<a href="0001-000001.html">' not in index, "a catch-up draws the newest window alone"


def test_without_a_report_the_verdict_stands(
    home: Home,
    make_release: Callable[..., Manifest],
    traffic: Any,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    def fail(*_: object) -> str:
        raise ReportError("Report: expected Evidently to be installed, found: No module named 'evidently'.")

    monkeypatch.setattr("monitoring.reports.draw", fail)
    manifest = make_release(home, monitor=MonitorSpec(window=50, min_window=40))
    promote(home, "support", manifest.version, by="test", reason="first", now=1.0)
    traffic.send(50)
    with caplog.at_level(logging.WARNING):
        assert run(home, MonitorSettings(once=True, port=None), clock=lambda: traffic.clock) == 0
    latest = read_latest(home, "support")
    assert latest is not None
    assert (latest.verdict, latest.report) == ("ok", None)
    assert "window 0001-000001 has no report: Report: expected Evidently" in caplog.text


def test_the_newest_pages_are_kept(home: Home) -> None:
    folder = reports_folder(home, "support")
    folder.mkdir(parents=True)
    for number in range(KEPT + 3):
        page = folder / f"0001-{number:06d}.html"
        page.touch()
        os.utime(page, (number, number))
    write_index(home, "support")
    kept = sorted(page.stem for page in folder.glob("0*.html"))
    assert kept == [f"0001-{number:06d}" for number in range(3, KEPT + 3)]
    assert (folder / "index.html").is_file()


def test_a_page_without_the_known_script_stays_whole() -> None:
    page = "<html><body><script>var other = 1;</script></body></html>"
    assert share_script(page, "assets/x.js").html == page
    assert share_script(page, "assets/x.js").script == ""
