"""Looks at a log while releases are promoted, rolled back and tried: each is judged in its own name."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from contracts.home import Home
from contracts.rollout import promote, rollback, try_canary, try_shadow
from contracts.verdict import Verdict, read_latest
from monitoring import evaluation
from monitoring.evaluation import Watch

Traffic = Any  # tests/monitoring/conftest.py


def test_only_the_stable_release_in_its_own_name_is_judged(
    look: Callable[..., list[Verdict]], released: Home, traffic: Traffic, judged_ids: dict[str, list[str]]
) -> None:
    for _ in range(25):
        traffic.send(1, release="0002", role="shadow")
        traffic.send(1, release="0002", role="canary")
        traffic.send(1, release="0002", role="requested")
        traffic.send(2)
    look(released, Watch(), traffic.clock)
    assert list(judged_ids) == ["0001-000001"]
    promote(released, "support", "0002", by="test", reason="better", now=2.0)
    traffic.send(10, release="0001")
    traffic.send(60, release="0002")
    watch = Watch()
    assert [verdict.window_id for verdict in look(released, watch, traffic.clock)] == ["0002-000001"]
    rollback(released, "support", by="test", reason="worse", now=3.0)
    look(released, watch, traffic.clock)
    back = read_latest(released, "support")
    assert back is not None
    assert (back.window_id, back.verdict) == ("0001-000002", "insufficient")
    traffic.send(50, release="0001")
    assert [verdict.window_id for verdict in look(released, watch, traffic.clock)] == ["0001-000002"]


def test_trials_change_nothing_about_the_verdict_on_the_stable_release(
    look: Callable[..., list[Verdict]], released: Home, traffic: Traffic
) -> None:
    make = {"by": "test", "reason": "test", "now": 2.0}
    watch = Watch()
    answered = traffic.send(50)
    try_shadow(released, "support", "0002", **make)
    shadowed = traffic.send(200, foreign=1.0, release="0002", role="shadow")
    traffic.feed_back([(record.id, record.label) for record in answered[:40]], right=30)
    # Whatever feedback says of what a shadow scored, nobody was answered that.
    traffic.feed_back([(record.id, record.label) for record in shadowed], right=0)
    (verdict,) = look(released, watch, traffic.clock)
    assert (verdict.release, verdict.rows, verdict.verdict) == ("0001", 50, "ok")
    assert verdict.accuracy is not None
    assert (verdict.accuracy.labelled, verdict.accuracy.measured) == (40, 0.75)
    try_canary(released, "support", "0002", 0.5, **make)
    traffic.send(200, foreign=1.0, release="0002", role="canary")
    traffic.send(50)
    assert [found.verdict for found in look(released, watch, traffic.clock)] == ["ok"]
    # What the canary answered stays the canary's when it is promoted: its callers were a share of their own.
    promote(released, "support", "0002", **make)
    assert look(released, watch, traffic.clock) == []
    traffic.send(50, release="0002")
    assert [found.window_id for found in look(released, watch, traffic.clock)] == ["0002-000001"]


@pytest.mark.parametrize("by_hand", [False, True])
@pytest.mark.parametrize("waiting", [0, 30])
def test_records_of_a_release_promoted_during_a_look_are_not_lost(
    look: Callable[..., list[Verdict]],
    released: Home,
    traffic: Traffic,
    monkeypatch: pytest.MonkeyPatch,
    by_hand: bool,
    waiting: int,
) -> None:
    real = evaluation.read_rows

    def promoted_meanwhile(*given: Any) -> Any:
        monkeypatch.setattr(evaluation, "read_rows", real)
        if by_hand:
            path = released.rollout("support")
            path.write_text(json.dumps({**json.loads(path.read_text()), "stable": "0002"}))
        else:
            promote(released, "support", "0002", by="test", reason="better", now=2.0)
        traffic.send(50, release="0002")
        return real(*given)

    monkeypatch.setattr(evaluation, "read_rows", promoted_meanwhile)
    traffic.send(waiting)
    watch = Watch()
    assert look(released, watch, traffic.clock) == []
    assert [verdict.window_id for verdict in look(released, watch, traffic.clock)] == ["0002-000001"]
