from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from contracts.alert import Alert
from contracts.task import DataSpec, RetrainSpec, TaskSpec
from contracts.verdict import Verdict
from controller.policy import Champion, Decision, History, OpenRequest, alert_start, decide, request_id
from controller.record import DecisionRecord

NOW = 1_800_000_000.0
SPEC = TaskSpec(
    name="support", data=DataSpec(path="x.csv"), retrain=RetrainSpec(min_new_labels=200, cooldown_minutes=60)
)
CHAMPION = Champion("0001", SPEC)
FIRST = request_id("support", "0001", "2027-01-15T08:00:00.000000+00:00", 1)
SECOND = request_id("support", "0001", "2027-01-15T08:00:00.000000+00:00", 2)


def alert(status: str = "firing", starts_at: str = "2027-01-15T08:00:00Z", **labels: str) -> Alert:
    return Alert.model_validate(
        {
            "status": status,
            "labels": {"alertname": "PerennialDrift", "task": "support", **labels},
            "startsAt": starts_at,
        }
    )


def end(
    action: str = "refuse", request: str = FIRST, minutes_ago: float = 120, labels: float = 200
) -> tuple[DecisionRecord, DecisionRecord]:
    asked = DecisionRecord(
        time=NOW - minutes_ago * 60 - 600, task="support", action="retrain", kind="hurt", reason="r", release="0001",
        request_id=request, figures={"labels": labels},
    )  # fmt: skip
    update = {"time": NOW - minutes_ago * 60, "action": action, "kind": "gate", "figures": {}}
    return asked, asked.model_copy(update=update)


Ask = Callable[..., Decision]


@pytest.fixture
def ask(make_verdict: Callable[..., Verdict]) -> Ask:
    def ask(
        labels: int = 500, history: History | None = None, given: Alert | None = None, now: float = NOW, **verdict: Any
    ) -> Decision:
        return decide(now, "support", given or alert(), CHAMPION, make_verdict(**verdict), labels, history or History())

    return ask


def test_drifted_and_hurt_with_enough_labels_retrains(ask: Ask) -> None:
    found = ask()
    assert (found.action, found.request_id) == ("retrain", FIRST)
    assert "0.500" in found.reason
    assert "500 labelled records" in found.reason


@pytest.mark.parametrize(
    ("verdict", "action", "kind"),
    [
        ({"word": "ok", "alerting": False}, "wait", "not_drifted"),
        ({"word": "insufficient", "alerting": False}, "wait", "not_drifted"),
        ({"alerting": False}, "wait", "not_drifted"),
        ({"release": "0002"}, "ignore", "outdated"),
        ({"measured": 0.93, "high": 0.96}, "wait", "not_hurt"),
        # Wilson's upper bound must be below 0.95 - 0.05; the point estimate alone is not enough.
        ({"measured": 0.85, "high": 0.91}, "wait", "not_hurt"),
        ({"measured": 0.85, "high": 0.90}, "wait", "not_hurt"),
        ({"measured": 0.85, "high": 0.8999}, "retrain", "hurt"),
        # Enough labels: what they say counts, whatever the estimate.
        ({"measured": 0.94, "high": 0.97, "estimated": 0.2}, "wait", "not_hurt"),
        # Few labels: the estimate.
        ({"labelled": 29, "measured": 0.1, "high": 0.2, "estimated": 0.93}, "wait", "not_hurt"),
        ({"labelled": 29, "measured": 0.9, "high": 0.99, "estimated": 0.80}, "retrain", "hurt"),
        ({"labelled": 29, "measured": 0.1, "high": 0.2, "estimated": None}, "wait", "hurt_unknown"),
        ({"labelled": 30, "measured": 0.1, "high": 0.2, "estimated": None}, "retrain", "hurt"),
        ({"labelled": 0, "measured": None, "high": None, "estimated": 0.5}, "retrain", "hurt"),
    ],
)
def test_evidence(ask: Ask, verdict: dict[str, Any], action: str, kind: str) -> None:
    found = ask(**verdict)
    assert (found.action, found.kind) == (action, kind), found.reason


def test_without_evidence_it_waits(make_verdict: Callable[..., Verdict]) -> None:
    found = decide(NOW, "support", alert(), CHAMPION, None, 500, History())
    assert (found.action, found.kind) == ("wait", "no_verdict")
    bare = make_verdict().model_copy(update={"accuracy": None})
    assert decide(NOW, "support", alert(), CHAMPION, bare, 500, History()).kind == "hurt_unknown"


@pytest.mark.parametrize(
    ("given_alert", "kind"),
    [(alert("resolved"), "resolved"), (alert(release="0007"), "outdated"), (alert(release="x" * 10_000), "outdated")],
)
def test_alerts_that_are_about_nothing_any_more(ask: Ask, given_alert: Alert, kind: str) -> None:
    found = ask(given=given_alert)
    assert (found.action, found.kind) == ("ignore", kind)
    assert len(found.reason) < 200


def test_too_few_labels_says_how_many_and_what_to_do(ask: Ask) -> None:
    found = ask(labels=37)
    assert (found.action, found.kind) == ("wait", "few_labels")
    for words in ("200 labelled records", "37 have come", "send feedback"):
        assert words in found.reason
    assert ask(labels=199).action == "wait"
    assert ask(labels=200).action == "retrain"


def test_one_job_at_a_time_over_all_tasks(ask: Ask) -> None:
    same = ask(history=History(open_requests=(OpenRequest(FIRST, "support"),)))
    assert (same.action, same.kind, same.request_id) == ("ignore", "duplicate", FIRST)
    other = ask(history=History(open_requests=(OpenRequest("sales-0001-abcdefab", "sales"),)))
    assert (other.action, other.kind) == ("wait", "busy")
    assert "sales-0001-abcdefab" in other.reason


@pytest.mark.parametrize("action", ["promote", "refuse", "failed"])
def test_cooldown_after_any_end(ask: Ask, action: str) -> None:
    found = ask(history=History(decisions=end(action, "support-0000-00000000", minutes_ago=45)))
    assert (found.action, found.kind) == ("wait", "cooldown")
    assert "in 15.0 minutes" in found.reason
    assert ask(history=History(decisions=end(action, "support-0000-00000000", minutes_ago=60))).action == "retrain"


def test_an_end_in_the_far_future_does_not_hold_everything_up(ask: Ask) -> None:
    wrong_clock = end("refuse", "support-0000-00000000", minutes_ago=-1000 * 24 * 60)
    assert ask(history=History(decisions=wrong_clock)).action == "retrain"
    stepped_back = ask(history=History(decisions=end("refuse", "support-0000-00000000", minutes_ago=-1)))
    assert stepped_back.kind == "cooldown"
    assert "ended 0.0 minutes ago" in stepped_back.reason


def test_another_attempt_for_the_same_alert_needs_clearly_more_labels(ask: Ask) -> None:
    tried = History(decisions=end("refuse", FIRST, labels=200))
    assert (ask(labels=299, history=tried).action, ask(labels=299, history=tried).kind) == ("wait", "tried")
    again = ask(labels=300, history=tried)
    assert (again.action, again.request_id) == ("retrain", SECOND)
    assert SECOND != FIRST
    later = ask(labels=299, history=tried, given=alert(starts_at="2027-01-15T09:30:00Z"))
    assert later.action == "retrain"
    twice = History(decisions=(*end("refuse", FIRST, labels=200), *end("refuse", SECOND, labels=300)))
    assert ask(labels=449, history=twice).kind == "tried"
    assert ask(labels=450, history=twice).action == "retrain"


def test_a_job_that_died_is_tried_again_with_the_labels_that_there_are(ask: Ask) -> None:
    died = History(decisions=end("failed", FIRST, labels=200))
    again = ask(labels=200, history=died)
    assert (again.action, again.request_id) == ("retrain", SECOND)
    refused_before = History(decisions=(*end("refuse", FIRST, labels=200), *end("failed", SECOND, labels=300)))
    assert ask(labels=299, history=refused_before).kind == "tried"
    assert ask(labels=300, history=refused_before).action == "retrain"


@given(
    st.text("abc-019", min_size=1, max_size=48),
    st.sampled_from(["0001", "12345", "1234567"]),
    st.text(max_size=40),
    st.integers(1, 9),
)
def test_a_request_id_also_names_a_kubernetes_job(task: str, release: str, started: str, attempt: int) -> None:
    identity = request_id(task, release, started, attempt)
    assert 8 <= len(identity) <= 63
    assert identity == request_id(task, release, started, attempt)
    assert identity != request_id(task, release, started, attempt + 1)


@pytest.mark.parametrize(
    "spelled", ["2027-01-15T08:00:00Z", "2027-01-15T09:00:00+01:00", "2027-01-15T08:00:00.000000000Z"]
)
def test_one_time_in_several_spellings_is_one_alert(spelled: str) -> None:
    assert alert_start(alert(starts_at=spelled)) == "2027-01-15T08:00:00.000000+00:00"


@pytest.mark.parametrize("spelled", ["", "yesterday", "2027-01-15T08:00:00", "0001-01-01T00:00:00+14:00", "1e9"])
def test_times_that_are_none(spelled: str) -> None:
    with pytest.raises(ValueError):
        alert_start(alert(starts_at=spelled))


@given(
    labels=st.integers(0, 1000),
    measured=st.floats(0, 1),
    labelled=st.integers(0, 300),
    estimated=st.none() | st.floats(0, 1),
    minutes_ago=st.floats(0, 200),
    busy=st.booleans(),
)
def test_never_retrains_while_busy_cooling_unhurt_or_with_few_labels(
    make_verdict: Callable[..., Verdict],
    labels: int,
    measured: float,
    labelled: int,
    estimated: float | None,
    minutes_ago: float,
    busy: bool,
) -> None:
    verdict = make_verdict(measured=measured, high=measured, labelled=labelled, estimated=estimated)
    history = History(end("refuse", "support-0000-00000000", minutes_ago), ())
    if busy:
        history = replace(history, open_requests=(OpenRequest("sales-0001-abcdefab", "sales"),))
    found = decide(NOW, "support", alert(), CHAMPION, verdict, labels, history)
    believed = measured if labelled >= 30 else estimated
    # One ulp at the boundary of the cool-down is not what this is about.
    if found.action == "retrain":
        assert not busy
        assert minutes_ago >= 60 - 1e-6
        assert labels >= 200
        assert believed is not None
        assert believed < 0.9
    elif not busy and minutes_ago > 61 and labels >= 200:
        assert believed is None or believed >= 0.9 - 1e-9
