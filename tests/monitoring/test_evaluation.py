"""Looks at a log: windows that hold each record once, whatever is written in between."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from contracts.home import Home
from contracts.log import segments
from contracts.release import Manifest
from contracts.verdict import Verdict, read_latest
from monitoring import evaluation
from monitoring.evaluation import Watch, evaluate_pending
from monitoring.state import load_state, read_verdicts, state_path

Traffic = Any  # tests/monitoring/conftest.py


NEVER = 1e12


def test_nothing_to_do_without_a_promoted_release(home: Home, make_release: Callable[..., Manifest]) -> None:
    make_release(home)
    assert evaluate_pending(home, "support", Watch(), 1.0, idle_seconds=0).latest is None
    assert read_latest(home, "support") is None


def test_too_little_traffic_is_insufficient_and_waits(
    look: Callable[..., list[Verdict]], released: Home, traffic: Traffic, judged_ids: dict[str, list[str]]
) -> None:
    watch = Watch()
    look(released, watch, 1.0)
    empty = read_latest(released, "support")
    assert empty is not None
    assert (empty.verdict, empty.rows, empty.window_id) == ("insufficient", 0, "0001-000001")
    traffic.send(19)
    assert look(released, watch, traffic.clock + 9e9, idle=0.0) == []
    few = read_latest(released, "support")
    assert few is not None
    assert (few.verdict, few.rows) == ("insufficient", 19)
    assert read_verdicts(released, "support") == []
    traffic.send(31)
    assert [verdict.rows for verdict in look(released, watch, traffic.clock)] == [50]
    assert len(judged_ids["0001-000001"]) == 50, "the nineteen were kept for the window"


def test_a_window_of_enough_rows_closes_when_the_stream_sleeps(
    look: Callable[..., list[Verdict]], released: Home, traffic: Traffic
) -> None:
    watch = Watch()
    traffic.send(30)
    assert look(released, watch, traffic.clock + 299, idle=300.0) == []
    assert [verdict.rows for verdict in look(released, watch, traffic.clock + 300, idle=300.0)] == [30]
    assert look(released, watch, traffic.clock + 9e9, idle=300.0) == [], "it is not judged twice"


def test_a_trickle_gets_a_verdict_a_day(look: Callable[..., list[Verdict]], released: Home, traffic: Traffic) -> None:
    traffic.send(25, step=4000.0)
    assert [verdict.rows for verdict in look(released, Watch(), traffic.clock, idle=NEVER)] == [25]


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    steps=st.lists(
        st.one_of(
            st.tuples(st.just("send"), st.integers(1, 70), st.sampled_from(["w0", "w1", "w2"])),
            st.tuples(st.just("late"), st.integers(1, 20), st.sampled_from(["w0", "w1"])),
            st.tuples(st.just("torn"), st.just(0), st.just("w1")),
            st.tuples(st.just("hour"), st.just(0), st.just("")),
            st.tuples(st.sampled_from(["look", "restart", "state lost"]), st.just(0), st.just("")),
        ),
        max_size=25,
    )
)
def test_each_record_is_in_at_most_one_window(
    released_once: Home,
    tmp_path_factory: pytest.TempPathFactory,
    traffic_of: Callable[[Home], Traffic],
    steps: list[tuple[str, int, str]],
) -> None:
    home = Home(tmp_path_factory.mktemp("run"))
    shutil.copytree(released_once.root, home.root, dirs_exist_ok=True)
    traffic = traffic_of(home)
    watch, sent, lost = Watch(), 0, False
    with pytest.MonkeyPatch.context() as patch:
        judged: dict[str, list[str]] = {}
        real = evaluation.commit

        def commit(state: Any, verdict: Verdict, window: Any, labels: Any) -> Any:
            assert verdict.window_id not in judged
            judged[verdict.window_id] = [row.id for row in window]
            return real(state, verdict, window, labels)

        patch.setattr(evaluation, "commit", commit)
        patch.setattr(evaluation, "judge", _quick_judge)
        for action, rows, writer in [*steps, ("look", 0, ""), ("look", 0, "")]:
            if action == "send":
                traffic.send(rows, writer=writer)
                sent += rows
            elif action == "late":
                traffic.clock -= 5.0
                traffic.send(rows, writer=writer, step=0.001)
                traffic.clock += 5.0
                sent += rows
            elif action == "torn":
                for path in segments(home.predictions("support"))[-1:]:
                    with path.open("ab") as file:
                        file.write(b'{"torn": \n')
            elif action == "hour":
                traffic.clock += 3600.0
            elif action == "state lost":
                state_path(home, "support").unlink(missing_ok=True)
                watch, lost = Watch(), True
            else:
                watch = watch if action == "look" else Watch()
                evaluate_pending(home, "support", watch, traffic.clock, idle_seconds=NEVER)
    ids = [one for window in judged.values() for one in window]
    assert len(ids) == len(set(ids))
    assert list(judged) == [f"0001-{number:06d}" for number in range(1, len(judged) + 1)]
    assert [verdict.window_id for verdict in read_verdicts(home, "support")] == list(judged)
    assert all(len(window) == 50 for window in judged.values())
    if not lost:
        assert len(judged) == sent // 50, "every record is in a window, but for the open one"
        assert watch.open.rows == sent % 50


def _quick_judge(state: Any, baseline: Any, window: Any, _truth: Any, now: float, _malformed: int) -> Verdict:
    """The detectors do not matter to which record is in which window."""
    release = baseline.manifest.version
    return Verdict(
        task="support", release=release, window_id=f"{release}-{state.numbers.get(release, 0) + 1:06d}",
        started=min(row.time for row in window), ended=max(row.time for row in window), evaluated=now,
        rows=len(window), verdict="ok", run=0, alerting=False,
    )  # fmt: skip


def test_writers_are_merged_by_time(
    look: Callable[..., list[Verdict]], released: Home, traffic: Traffic, judged_ids: dict[str, list[str]]
) -> None:
    records = [traffic.record(False) for _ in range(100)]
    traffic.write(records[::2], "w0")
    traffic.write(records[1::2], "w1")
    look(released, Watch(), traffic.clock)
    assert judged_ids == {
        "0001-000001": [record.id for record in records[:50]],
        "0001-000002": [record.id for record in records[50:]],
    }


def test_a_look_without_news_reads_nothing(
    look: Callable[..., list[Verdict]], released: Home, traffic: Traffic, monkeypatch: pytest.MonkeyPatch
) -> None:
    read, reads = evaluation.read_rows, []
    monkeypatch.setattr(evaluation, "read_rows", lambda *arguments: reads.append(arguments) or read(*arguments))
    watch = Watch()
    traffic.send(70)
    look(released, watch, traffic.clock)
    before = len(reads)
    look(released, watch, traffic.clock)
    assert before
    assert len(reads) == before


def test_the_state_does_not_grow_with_the_log(
    look: Callable[..., list[Verdict]], released: Home, traffic: Traffic
) -> None:
    watch = Watch()
    for _ in range(60):
        traffic.send(5)
        traffic.clock += 6 * 3600
        look(released, watch, traffic.clock)
    assert len(segments(released.predictions("support"))) == 60
    assert len(load_state(released, "support").offsets) < 60 // 4


def test_a_wrong_clock_does_not_hide_the_present(
    look: Callable[..., list[Verdict]], released: Home, traffic: Traffic
) -> None:
    watch, now = Watch(), traffic.clock
    traffic.clock += 400 * 86400.0
    traffic.send(3, writer="astray")
    traffic.clock = now
    look(released, watch, now)
    traffic.send(60)
    assert [verdict.rows for verdict in look(released, watch, traffic.clock)] == [50]
