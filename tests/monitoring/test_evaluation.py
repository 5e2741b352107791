"""Looks at a log: windows that hold each record once, whatever is written, killed or promoted in between."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from contracts.errors import ReleaseCorruptError
from contracts.home import Home
from contracts.log import segments
from contracts.release import REFERENCE_FILE, Manifest
from contracts.rollout import promote, rollback, try_canary, try_shadow
from contracts.task import MonitorSpec
from contracts.verdict import Verdict, read_latest
from monitoring import evaluation
from monitoring.evaluation import Watch, evaluate_pending
from monitoring.state import load_state, read_verdicts, state_path, verdicts_path

Traffic = Any  # tests/monitoring/conftest.py
SPEC = MonitorSpec(window=50, min_window=20)
NEVER = 1e12


@pytest.fixture(scope="session")
def released_once(tmp_path_factory: pytest.TempPathFactory, make_release: Callable[..., Manifest]) -> Home:
    root = tmp_path_factory.mktemp("released")
    home = Home(root)
    for _ in range(2):
        make_release(home, monitor=SPEC)
    promote(home, "support", "0001", by="test", reason="first", now=1.0)
    return home


@pytest.fixture
def released(home: Home, released_once: Home) -> Home:
    shutil.copytree(released_once.root, home.root, dirs_exist_ok=True)
    return home


@pytest.fixture
def judged_ids(monkeypatch: pytest.MonkeyPatch) -> dict[str, list[str]]:
    """Prediction ids by window, as they were judged and committed."""
    found: dict[str, list[str]] = {}
    real = evaluation.commit

    def commit(state: Any, verdict: Verdict, window: Any, labels: Any) -> Any:
        assert verdict.window_id not in found, "judged twice"
        found[verdict.window_id] = [row.id for row in window]
        return real(state, verdict, window, labels)

    monkeypatch.setattr(evaluation, "commit", commit)
    return found


def look(home: Home, watch: Watch, now: float, idle: float = NEVER) -> list[Verdict]:
    return list(evaluate_pending(home, "support", watch, now, idle_seconds=idle).judged)


def test_nothing_to_do_without_a_promoted_release(home: Home, make_release: Callable[..., Manifest]) -> None:
    make_release(home)
    assert evaluate_pending(home, "support", Watch(), 1.0, idle_seconds=0).latest is None
    assert read_latest(home, "support") is None


def test_too_little_traffic_is_insufficient_and_waits(
    released: Home, traffic: Traffic, judged_ids: dict[str, list[str]]
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


def test_a_window_of_enough_rows_closes_when_the_stream_sleeps(released: Home, traffic: Traffic) -> None:
    watch = Watch()
    traffic.send(30)
    assert look(released, watch, traffic.clock + 299, idle=300.0) == []
    assert [verdict.rows for verdict in look(released, watch, traffic.clock + 300, idle=300.0)] == [30]
    assert look(released, watch, traffic.clock + 9e9, idle=300.0) == [], "it is not judged twice"


def test_a_trickle_gets_a_verdict_a_day(released: Home, traffic: Traffic) -> None:
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


def test_writers_are_merged_by_time(released: Home, traffic: Traffic, judged_ids: dict[str, list[str]]) -> None:
    records = [traffic.record(False) for _ in range(100)]
    traffic.write(records[::2], "w0")
    traffic.write(records[1::2], "w1")
    look(released, Watch(), traffic.clock)
    assert judged_ids == {
        "0001-000001": [record.id for record in records[:50]],
        "0001-000002": [record.id for record in records[50:]],
    }


def test_only_the_stable_release_in_its_own_name_is_judged(
    released: Home, traffic: Traffic, judged_ids: dict[str, list[str]]
) -> None:
    for _ in range(25):
        traffic.send(1, release="0002", role="shadow")
        traffic.send(1, release="0002", role="canary")
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


def test_trials_change_nothing_about_the_verdict_on_the_stable_release(released: Home, traffic: Traffic) -> None:
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


def test_an_id_that_was_sent_twice_is_traffic_twice_and_an_answer_once(
    released: Home, traffic: Traffic, judged_ids: dict[str, list[str]]
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


@pytest.mark.parametrize("by_hand", [False, True])
@pytest.mark.parametrize("waiting", [0, 30])
def test_records_of_a_release_promoted_during_a_look_are_not_lost(
    released: Home, traffic: Traffic, monkeypatch: pytest.MonkeyPatch, by_hand: bool, waiting: int
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


@pytest.mark.parametrize("killed_in", ["save_state", "publish_verdict", "write_latest"])
def test_a_kill_at_any_step_neither_repeats_nor_loses_a_window(
    released: Home, traffic: Traffic, monkeypatch: pytest.MonkeyPatch, killed_in: str
) -> None:
    class Killed(BaseException):
        pass

    traffic.send(50)
    look(released, Watch(), traffic.clock)
    traffic.send(50, foreign=0.8)
    with monkeypatch.context() as patch:

        def kill(*_: Any) -> None:
            raise Killed

        target = (
            "monitoring.state.write_latest" if killed_in == "write_latest" else f"monitoring.evaluation.{killed_in}"
        )
        patch.setattr(target, kill)
        with pytest.raises(Killed):
            look(released, Watch(), traffic.clock)
    traffic.send(50, foreign=0.8)
    look(released, Watch(), traffic.clock)
    found = read_verdicts(released, "support")
    assert [verdict.window_id for verdict in found] == ["0001-000001", "0001-000002", "0001-000003"]
    assert [verdict.run for verdict in found] == [0, 1, 2]
    latest = read_latest(released, "support")
    assert latest is not None
    assert latest.alerting


def test_a_lost_state_is_rebuilt_from_the_verdicts(
    released: Home, traffic: Traffic, judged_ids: dict[str, list[str]]
) -> None:
    traffic.send(60, foreign=0.8)
    look(released, Watch(), traffic.clock)
    state_path(released, "support").write_text("{ torn")
    with verdicts_path(released, "support").open("ab") as file:
        file.write(b'{"torn')
    traffic.send(40, foreign=0.8)
    assert [verdict.run for verdict in look(released, Watch(), traffic.clock)] == [2]
    assert set(judged_ids["0001-000001"]).isdisjoint(judged_ids["0001-000002"])


def test_malformed_lines_are_counted_once_and_passed_over(released: Home, traffic: Traffic) -> None:
    watch = Watch()
    good = traffic.send(10)
    path = segments(released.predictions("support"))[0]
    wrong = [
        good[0].model_copy(update={"label": "nonsense"}),
        good[0].model_copy(update={"projection": (0.0,) * 7}),
        good[0].model_copy(update={"task": "another"}),
    ]
    with path.open("ab") as file:
        file.write(b"not json\n\xff\xfe\n" + json.dumps({"id": "x"}).encode() + b"\n")
        file.writelines(record.model_dump_json().encode() + b"\n" for record in wrong)
    for _ in range(3):
        look(released, watch, traffic.clock)
    assert watch.malformed_lines == 6
    traffic.send(40)
    assert [verdict.malformed for verdict in look(released, watch, traffic.clock)] == [6]
    with path.open("ab") as file:
        file.write(b'{"half a line')
    look(released, watch, traffic.clock)
    assert watch.malformed_lines == 6, "a line without its end is still being written"


def test_a_look_without_news_reads_nothing(released: Home, traffic: Traffic, monkeypatch: pytest.MonkeyPatch) -> None:
    watch = Watch()
    traffic.send(70)
    look(released, watch, traffic.clock)
    monkeypatch.setattr(evaluation, "read_rows", lambda *_: pytest.fail("read again"))
    look(released, watch, traffic.clock)


def test_the_state_does_not_grow_with_the_log(released: Home, traffic: Traffic) -> None:
    watch = Watch()
    for _ in range(60):
        traffic.send(5)
        traffic.clock += 6 * 3600
        look(released, watch, traffic.clock)
    assert len(segments(released.predictions("support"))) == 60
    assert len(load_state(released, "support").offsets) < 60 // 4


def test_a_wrong_clock_does_not_hide_the_present(released: Home, traffic: Traffic) -> None:
    watch, now = Watch(), traffic.clock
    traffic.clock += 400 * 86400.0
    traffic.send(3, writer="astray")
    traffic.clock = now
    look(released, watch, now)
    traffic.send(60)
    assert [verdict.rows for verdict in look(released, watch, traffic.clock)] == [50]


def test_labels_that_come_late_refresh_the_latest_verdict(released: Home, traffic: Traffic) -> None:
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


def test_the_newest_label_of_a_prediction_counts(released: Home, traffic: Traffic) -> None:
    traffic.send(50)
    traffic.feed_back(traffic.ids[:10], right=0)
    traffic.feed_back(traffic.ids[:10], right=10)
    verdict = look(released, Watch(), traffic.clock)[0]
    assert verdict.accuracy is not None
    assert (verdict.accuracy.labelled, verdict.accuracy.measured) == (10, 1.0)


def test_a_damaged_reference_is_named(released: Home) -> None:
    path: Path = released.release("support", "0001") / REFERENCE_FILE
    path.write_bytes(path.read_bytes()[:-1] + b"?")
    with pytest.raises(ReleaseCorruptError, match=r"support/0001: reference\.npz has sha256"):
        look(released, Watch(), 1.0)
