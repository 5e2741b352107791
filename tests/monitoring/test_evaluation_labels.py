"""Looks at a log whose true labels come late, twice, or for an id that was sent twice."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from contracts.home import Home
from contracts.verdict import Verdict, read_latest
from monitoring.evaluation import Watch
from monitoring.state import read_verdicts

Traffic = Any  # tests/monitoring/conftest.py


def test_an_id_that_was_sent_twice_is_traffic_twice_and_an_answer_once(
    look: Callable[..., list[Verdict]], released: Home, traffic: Traffic, judged_ids: dict[str, list[str]]
) -> None:
    records = [traffic.record(False) for _ in range(50)]
    again = [record.model_copy(update={"id": records[0].id, "label": "other"}) for record in records[40:]]
    traffic.write(records[:40] + again)
    traffic.feed_back([(records[0].id, "other")], right=1)
    traffic.feed_back([(record.id, record.label) for record in records[1:20]], right=19)
    (verdict,) = look(released, Watch(), traffic.clock)
    assert len(judged_ids["0001-000001"]) == verdict.rows == 50
    assert verdict.accuracy is not None
    assert (verdict.accuracy.labelled, verdict.accuracy.measured) == (20, 1.0)
    latest = read_latest(released, "support")
    assert latest is not None
    assert latest.accuracy == verdict.accuracy


def test_labels_that_come_late_refresh_the_latest_verdict(
    look: Callable[..., list[Verdict]], released: Home, traffic: Traffic
) -> None:
    watch = Watch()
    traffic.send(100, foreign=0.8)
    look(released, watch, traffic.clock)
    before = read_verdicts(released, "support")
    traffic.feed_back(traffic.ids[:60], right=30)
    for fresh in (watch, Watch()):
        look(released, fresh, traffic.clock)
        latest = read_latest(released, "support")
        assert latest is not None
        assert latest.accuracy is not None
        # Sixty labels: of both windows of the run, since either alone has fewer.
        assert (latest.accuracy.labelled, latest.accuracy.measured) == (60, 0.5)
    assert read_verdicts(released, "support") == before
    traffic.send(50)
    look(released, watch, traffic.clock)
    latest = read_latest(released, "support")
    assert latest is not None
    assert latest.accuracy is not None
    assert (latest.verdict, latest.accuracy.labelled) == ("ok", 0)


def test_the_newest_label_of_a_prediction_counts(
    look: Callable[..., list[Verdict]], released: Home, traffic: Traffic
) -> None:
    traffic.send(50)
    traffic.feed_back(traffic.ids[:10], right=0)
    traffic.feed_back(traffic.ids[:10], right=10)
    verdict = look(released, Watch(), traffic.clock)[0]
    assert verdict.accuracy is not None
    assert (verdict.accuracy.labelled, verdict.accuracy.measured) == (10, 1.0)
