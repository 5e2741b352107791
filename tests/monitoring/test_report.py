"""The one test that imports Evidently: a drifted window's page, its shared script, and the index."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from contracts.home import Home
from contracts.release import Manifest
from contracts.rollout import promote
from contracts.task import MonitorSpec
from contracts.verdict import read_latest
from monitoring.monitor import run
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
