"""What to do about an alert. Pure: values in, a decision out, time as an argument.

The order of the questions is the order in which a person would ask them: is this alert still about anything, is it
being dealt with, may another job start, has the text drifted, does the drift hurt, and is there enough to learn from?
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from math import ceil

from contracts.alert import Alert
from contracts.task import RetrainSpec, TaskSpec
from contracts.verdict import Accuracy, Verdict
from controller.record import OUTCOMES, Action, DecisionRecord, Kind

MIN_MEASURED = 30
"""Labelled predictions of the drifted windows in a row under which measured accuracy does not count."""

MORE_LABELS = 1.5
"""After an attempt that was refused, the same alert needs this many times its labels for another."""


@dataclass(frozen=True)
class Champion:
    """The release that serves, as far as deciding needs it."""

    version: str
    spec: TaskSpec


@dataclass(frozen=True)
class OpenRequest:
    """A retrain request without an outcome."""

    id: str
    task: str


@dataclass(frozen=True)
class History:
    """What was decided before about the task, oldest first, and what is under way for any task."""

    decisions: tuple[DecisionRecord, ...] = ()
    open_requests: tuple[OpenRequest, ...] = ()


@dataclass(frozen=True)
class Decision:
    """What to do, why, and the figures; `request_id` where the decision is about a request."""

    action: Action
    kind: Kind
    reason: str
    request_id: str | None = None
    figures: dict[str, float] = field(default_factory=dict)


def alert_start(alert: Alert) -> str:
    """The alert's start as UTC with microseconds, so that two spellings of one time are one alert.

    Raises ValueError when `startsAt` is not RFC 3339.
    """
    moment = datetime.fromisoformat(alert.starts_at)
    if moment.tzinfo is None:
        raise ValueError("a time with its zone is expected, such as 2026-01-31T12:00:00Z")
    try:
        return moment.astimezone(UTC).isoformat(timespec="microseconds")
    except OverflowError as error:
        raise ValueError("a time of the years 1 to 9999 is expected") from error


def request_id(task: str, release: str, started: str, attempt: int) -> str:
    """The name of the one request for this alert and attempt: two controllers arrive at the same.

    At most 63 characters, so that it also names a Kubernetes Job.
    """
    digest = hashlib.sha256(f"{task}\n{release}\n{started}\n{attempt}".encode()).hexdigest()
    return f"{task}-{release}-{digest[:8]}"[:63]


def decide(
    now: float,
    task: str,
    alert: Alert,
    champion: Champion,
    verdict: Verdict | None,
    labels_available: int,
    history: History,
) -> Decision:
    """Decide about one alert of a task.

    `verdict` is the monitor's newest: alerts from Prometheus carry no evidence. `labels_available` counts the
    labelled records that a snapshot taken now would hold.
    """
    named = alert.labels.get("release")
    if alert.status == "resolved":
        return Decision("ignore", "resolved", "The alert is over.")
    if named is not None and named != champion.version:
        return Decision(
            "ignore", "outdated", f"The alert is about release {named[:20]!r}; release {champion.version} serves now."
        )
    attempts = _attempts(task, champion.version, alert_start(alert), history.decisions)
    held = _held_up(now, champion, attempts, history)
    if held is not None:
        return held
    unproven = _unproven(champion, verdict)
    if unproven is not None:
        return unproven
    return _learnable(champion.spec.retrain, verdict, labels_available, attempts)


@dataclass(frozen=True)
class _Attempts:
    """What was tried for one alert: the next request's id, and the id and labels of the last one refused."""

    next_id: str
    last_id: str | None = None
    last_labels: float = 0.0


def _attempts(task: str, release: str, started: str, decisions: Sequence[DecisionRecord]) -> _Attempts:
    """Requests for this alert that have ended. Their ids follow from the alert, so nothing else need be kept."""
    ended = {decision.request_id for decision in decisions if decision.action in OUTCOMES}
    labels = {d.request_id: d.figures.get("labels", 0.0) for d in decisions if d.action == "retrain"}
    failed = {decision.request_id for decision in decisions if decision.action == "failed"}
    last: str | None = None
    attempt = 1
    while (identity := request_id(task, release, started, attempt)) in ended:
        # A job that died (of a full disk, say) says nothing about its labels: the cool-down is all that it waits for.
        if identity not in failed:
            last = identity
        attempt += 1
    return _Attempts(identity, last, labels.get(last, 0.0) if last is not None else 0.0)


def _held_up(now: float, champion: Champion, attempts: _Attempts, history: History) -> Decision | None:
    for request in history.open_requests:
        if request.id == attempts.next_id:
            return Decision(
                "ignore", "duplicate", f"Request {request.id} already deals with this alert.", request_id=request.id
            )
    if history.open_requests:
        other = history.open_requests[0]
        return Decision(
            "wait", "busy", f"One job runs at a time; request {other.id} of task {other.task} is under way."
        )
    cooldown = champion.spec.retrain.cooldown_minutes * 60
    # An end that lies further ahead than the cool-down is of a clock that was wrong: it would hold everything up.
    ends = [d.time for d in history.decisions if d.action in OUTCOMES and d.time <= now + cooldown]
    left = max(ends) + cooldown - now if ends else 0.0
    if left > 0:
        return Decision(
            "wait",
            "cooldown",
            f"The last job of the task ended {_minutes(max(0.0, now - max(ends)))} ago; the next may start in "
            f"{_minutes(left)} (retrain.cooldown_minutes = {champion.spec.retrain.cooldown_minutes:g}).",
            figures={"cooldown_left_seconds": left},
        )
    return None


def _unproven(champion: Champion, verdict: Verdict | None) -> Decision | None:
    """A wait, or an ignore, where the evidence does not show drift that hurts."""
    if verdict is None:
        return Decision("wait", "no_verdict", "The monitor has written no readable verdict to stand on.")
    if verdict.release != champion.version:
        return Decision(
            "ignore",
            "outdated",
            f"The newest verdict is about release {verdict.release}; release {champion.version} serves now.",
        )
    if verdict.verdict != "drift" or not verdict.alerting:
        return Decision(
            "wait",
            "not_drifted",
            f"The newest window ({verdict.window_id}, {verdict.rows} predictions) says {verdict.verdict}; "
            f"drifted windows in a row: {verdict.run}, asked for: {champion.spec.monitor.required_run}.",
        )
    return _unhurt(verdict.accuracy, champion.spec.retrain)


def _unhurt(accuracy: Accuracy | None, spec: RetrainSpec) -> Decision | None:
    if accuracy is None:
        return Decision(
            "wait", "hurt_unknown", "Drifted; whether it hurts cannot be told, for the verdict holds no accuracy."
        )
    floor = accuracy.reference - spec.min_accuracy_drop
    against = (
        f"reference {accuracy.reference:.3f} less retrain.min_accuracy_drop {spec.min_accuracy_drop:g} is {floor:.3f}"
    )
    figures = {"reference_accuracy": accuracy.reference, "labelled": float(accuracy.labelled)}
    if accuracy.labelled >= MIN_MEASURED and accuracy.measured is not None and accuracy.measured_high is not None:
        if accuracy.measured_high < floor:
            return None
        return Decision(
            "wait",
            "not_hurt",
            f"Drifted, not hurt: accuracy measured on {accuracy.labelled} labels is {accuracy.measured:.3f}, and may "
            f"be as high as {accuracy.measured_high:.3f}; {against}.",
            figures=figures | {"measured_accuracy": accuracy.measured, "measured_high": accuracy.measured_high},
        )
    if accuracy.estimated is None:
        return Decision(
            "wait",
            "hurt_unknown",
            f"Drifted; whether it hurts cannot be told: the window has {accuracy.labelled} labels, {MIN_MEASURED} are "
            "needed, and there is no estimate. Send feedback.",
            figures=figures,
        )
    if accuracy.estimated < floor:
        return None
    return Decision(
        "wait",
        "not_hurt",
        f"Drifted, not hurt: accuracy is estimated at {accuracy.estimated:.3f}; {against}.",
        figures=figures | {"estimated_accuracy": accuracy.estimated},
    )


def _learnable(
    spec: RetrainSpec,
    verdict: Verdict | None,
    labels_available: int,
    attempts: _Attempts,
) -> Decision:
    figures = {"labels": float(labels_available)}
    if labels_available < spec.min_new_labels:
        return Decision(
            "wait",
            "few_labels",
            f"Drifted and hurt, but a retraining needs {spec.min_new_labels} labelled records since the release began "
            f"to serve and {labels_available} have come: send feedback, or lower retrain.min_new_labels.",
            figures=figures,
        )
    needed = ceil(MORE_LABELS * attempts.last_labels)
    if attempts.last_id is not None and labels_available < needed:
        return Decision(
            "wait",
            "tried",
            f"Request {attempts.last_id} for this alert did not lead to a better release. Another attempt needs "
            f"{needed} labelled records ({MORE_LABELS:g} times as many); {labels_available} have come.",
            request_id=attempts.last_id,
            figures=figures,
        )
    return Decision(
        "retrain",
        "hurt",
        f"Drifted and hurt: {_loss(verdict)}; {labels_available} labelled records to learn from.",
        request_id=attempts.next_id,
        figures=figures,
    )


def _loss(verdict: Verdict | None) -> str:
    accuracy = verdict.accuracy if verdict is not None else None
    if accuracy is None:
        return "accuracy unknown"
    if accuracy.labelled >= MIN_MEASURED and accuracy.measured is not None:
        return (
            f"accuracy measured on {accuracy.labelled} labels is {accuracy.measured:.3f}, "
            f"the reference {accuracy.reference:.3f}"
        )
    return f"accuracy is estimated at {accuracy.estimated or 0.0:.3f}, the reference {accuracy.reference:.3f}"


def _minutes(seconds: float) -> str:
    return f"{seconds / 60:.1f} minutes"
