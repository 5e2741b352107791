"""Alerts in Alertmanager's webhook format: what is said (pure), and the posting of it."""

from __future__ import annotations

import hashlib
import http.client
from datetime import UTC, datetime
from pathlib import PurePath
from urllib.parse import urlsplit, urlunsplit

from contracts.alert import DRIFT_ALERT, Alert, AlertMessage
from contracts.errors import PerennialError
from contracts.verdict import Accuracy, Verdict

SEVERITY = "warning"
POST_TIMEOUT_SECONDS = 5.0
_NO_END = "0001-01-01T00:00:00Z"


class AlertPostError(PerennialError):
    """An alert that its receiver did not take."""

    def __init__(self, url: str, problem: str) -> None:
        super().__init__(
            f"Alert: expected {url} to take it with a 2xx answer, found: {problem}. "
            "Start the controller, or correct --alert-url; the alert is posted again."
        )


def firing(verdict: Verdict, root: PurePath) -> AlertMessage:
    """The alert that an alerting verdict raises; `root` is the home's folder, for the report's path."""
    return _message(verdict, root, ends=None)


def resolved(verdict: Verdict, root: PurePath, ended: float) -> AlertMessage:
    """The end of the alert that `verdict` raised."""
    return _message(verdict, root, ends=ended)


def _message(verdict: Verdict, root: PurePath, ends: float | None) -> AlertMessage:
    started = verdict.alert_started if verdict.alert_started is not None else verdict.evaluated
    labels = {"alertname": DRIFT_ALERT, "task": verdict.task, "release": verdict.release, "severity": SEVERITY}
    annotations = {
        "summary": summary(verdict),
        "description": description(verdict),
        "window_id": verdict.window_id,
        "report": str(root / verdict.report) if verdict.report else "",
    }
    status = "firing" if ends is None else "resolved"
    alert = Alert.model_validate(
        {
            "status": status,
            "labels": labels,
            "annotations": annotations,
            "startsAt": rfc3339(started),
            "endsAt": _NO_END if ends is None else rfc3339(ends),
            "fingerprint": fingerprint(verdict.task, verdict.release, started),
        }
    )
    group = f'{{}}:{{alertname="{DRIFT_ALERT}", task="{verdict.task}"}}'
    return AlertMessage.model_validate({"groupKey": group, "status": status, "alerts": (alert,)})


def fingerprint(task: str, release: str, started: float) -> str:
    """16 hex digits, the same for every post of one alert and no other."""
    return hashlib.sha256(f"{DRIFT_ALERT}/{task}/{release}/{started!r}".encode()).hexdigest()[:16]


def rfc3339(time: float) -> str:
    """Seconds since the epoch as RFC 3339, in UTC."""
    return datetime.fromtimestamp(time, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def summary(verdict: Verdict) -> str:
    """One sentence with the figures that matter."""
    names = [found.name for found in verdict.detectors if found.verdict == "drift"]
    windows = "1 window" if verdict.run == 1 else f"{verdict.run} windows in a row"
    lead = (
        f"Traffic of {verdict.task}/{verdict.release} has drifted for {windows} ({', '.join(names) or 'no detector'})"
    )
    return f"{lead}; {_accuracy_clause(verdict.accuracy)}." if verdict.accuracy else f"{lead}."


def _accuracy_clause(accuracy: Accuracy) -> str:
    against = f"against {accuracy.reference:.2f} on held-out texts"
    if accuracy.measured is not None and accuracy.measured_low is not None and accuracy.measured_high is not None:
        return (
            f"measured accuracy is {accuracy.measured:.2f} on {accuracy.labelled} labelled predictions "
            f"(95 % interval {accuracy.measured_low:.2f} to {accuracy.measured_high:.2f}), {against}"
        )
    if accuracy.estimated is not None:
        return f"estimated accuracy is {accuracy.estimated:.2f}, {against}; no label has arrived yet"
    return f"accuracy is not known; it was {accuracy.reference:.2f} on held-out texts"


def description(verdict: Verdict) -> str:
    """Each drifted detector's figures, for whoever opens the alert."""
    drifted = [
        f"{found.name}: effect {found.effect:.3f}, adjusted p-value {found.adjusted_p_value:.2g}"
        for found in verdict.detectors
        if found.verdict == "drift"
    ]
    return f"Window {verdict.window_id}, {verdict.rows} predictions. " + "; ".join(drifted) + "."


def post(url: str, message: AlertMessage, timeout: float = POST_TIMEOUT_SECONDS) -> None:
    """Post; raises AlertPostError when it was not taken.

    Straight to the host, since the controller is a neighbour: a proxy in the environment is not asked, and a redirect
    is not followed.
    """
    parts = urlsplit(url)
    connect = http.client.HTTPSConnection if parts.scheme == "https" else http.client.HTTPConnection
    connection = connect(parts.hostname or "", parts.port, timeout=timeout)
    target = urlunsplit(("", "", parts.path or "/", parts.query, ""))
    try:
        body = message.model_dump_json(by_alias=True).encode()
        connection.request("POST", target, body, {"Content-Type": "application/json"})
        answer = connection.getresponse()
        answer.read()
    except (OSError, http.client.HTTPException) as error:
        raise AlertPostError(url, str(error) or type(error).__name__) from error
    finally:
        connection.close()
    if not 200 <= answer.status < 300:
        raise AlertPostError(url, f"{answer.status} {answer.reason}")
