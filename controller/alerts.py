"""From an alert to a decision: gather the evidence, decide, freeze the request, record why."""

from __future__ import annotations

import logging
import re
import sys
from dataclasses import dataclass, replace

from contracts.alert import DRIFT_ALERT, Alert
from contracts.errors import ReleaseCorruptError, ReleaseNotFoundError, RolloutError
from contracts.files import locked
from contracts.home import Home
from contracts.retrain import RetrainRequest, Snapshot
from contracts.schema import TASK_NAME
from controller.evidence import Evidence, NoChampionError, gather_evidence
from controller.policy import Decision, History, alert_start, decide
from controller.reconcile import controller_lock
from controller.record import OUTCOMES, DecisionRecord, append_decision, read_decisions
from controller.request_store import freeze, open_requests
from controller.snapshot import collect, count_feedback

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Answer:
    """What an alert was answered. `recorded` is False where the same was answered before, or no task is concerned."""

    task: str
    decision: Decision
    recorded: bool = False


def answer_alert(home: Home, alert: Alert, now: float) -> Answer:
    """Decide about one alert and act on the decision; the same alert again makes no second request.

    Raises OSError when the home cannot be written to: nothing is decided then, and the alert is to be sent again.
    """
    task = alert.labels.get("task", "")
    name = alert.labels.get("alertname", "")
    if name != DRIFT_ALERT:
        return Answer(
            task,
            Decision("ignore", "foreign_alert", f"Only alerts named {DRIFT_ALERT} are acted on, not {name[:60]!r}."),
        )
    if not re.fullmatch(TASK_NAME, task) or task not in home.tasks():
        return Answer(
            task, Decision("ignore", "unknown_task", f"Label `task` is {task[:60]!r}; no such task has a release.")
        )
    with locked(controller_lock(home)):
        earlier = read_decisions(home)
        try:
            evidence = gather_evidence(home, task)
        except (NoChampionError, RolloutError, ReleaseNotFoundError, ReleaseCorruptError) as error:
            return _record(home, task, alert, Decision("wait", "no_champion", str(error)), None, earlier, now)
        history = History(
            decisions=tuple(decision for decision in earlier if decision.task == task),
            open_requests=open_requests(home, earlier),
        )
        decision = _decide_and_freeze(home, task, alert, evidence, history, now)
        return _record(home, task, alert, decision, evidence, earlier, now)


def _decide_and_freeze(
    home: Home, task: str, alert: Alert, evidence: Evidence, history: History, now: float
) -> Decision:
    """The more exact the count of labels, the more of the log it reads: asked with upper bounds first."""

    def ask(labels: int) -> Decision:
        return decide(now, task, alert, evidence.champion, evidence.verdict, labels, history)

    decision = ask(sys.maxsize)
    if decision.action == "retrain":
        decision = ask(count_feedback(home, task, evidence.serving_since))
    if decision.action != "retrain":
        return decision
    collected = collect(home, task, evidence.serving_since, evidence.labels)
    decision = ask(len(collected.labelled))
    decision = replace(decision, reason=f"{decision.reason} {collected.left_out()}".rstrip())
    if decision.action != "retrain" or decision.request_id is None:
        return decision
    request = _request(decision.request_id, task, evidence, decision, now)
    if not freeze(home, request, collected):
        return Decision("ignore", "duplicate", f"Request {request.id} is there already.", request_id=request.id)
    return decision


def _request(identity: str, task: str, evidence: Evidence, decision: Decision, now: float) -> RetrainRequest:
    return RetrainRequest(
        id=identity,
        task=task,
        created=now,
        reason=decision.reason,
        evidence=evidence.verdict,
        parent=evidence.champion.version,
        spec=evidence.champion.spec,
        snapshot=Snapshot(labelled_rows=0, unlabelled_rows=0, files={}),
    )


def _record(
    home: Home,
    task: str,
    alert: Alert,
    decision: Decision,
    evidence: Evidence | None,
    earlier: list[DecisionRecord],
    now: float,
) -> Answer:
    """Make the decision durable, unless it says of the same alert what the last one said."""
    record = DecisionRecord(
        time=now,
        task=task,
        action=decision.action,
        kind=decision.kind,
        reason=decision.reason,
        release=evidence.champion.version if evidence else None,
        request_id=decision.request_id,
        alert_started=alert_start(alert),
        figures=decision.figures,
        evidence=evidence.verdict if evidence else None,
    )
    if decision.action != "retrain" and _told_before(record, earlier):
        return Answer(task, decision)
    append_decision(home, record)
    return Answer(task, decision, recorded=True)


def _told_before(record: DecisionRecord, earlier: list[DecisionRecord]) -> bool:
    last = next(
        (
            decision
            for decision in reversed(earlier)
            if decision.task == record.task
            and decision.alert_started == record.alert_started
            and decision.action not in OUTCOMES
        ),
        None,
    )
    return last is not None and _gist(last) == _gist(record)


def _gist(record: DecisionRecord) -> tuple[str, ...]:
    return (record.action, record.kind, record.release or "", record.request_id or "")
