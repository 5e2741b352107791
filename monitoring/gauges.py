"""Verdicts as Prometheus gauges, on a small HTTP server of their own."""

from __future__ import annotations

import threading
from dataclasses import dataclass, field
from wsgiref.simple_server import WSGIServer

from prometheus_client import CollectorRegistry, Gauge, start_http_server

from contracts import metrics
from contracts.errors import SettingsError
from contracts.verdict import Verdict


def _gauge(registry: CollectorRegistry, name: str, text: str, labels: tuple[str, ...]) -> Gauge:
    return Gauge(name, text, labels, registry=registry)


@dataclass
class Gauges:
    """The monitor's metrics; `registry` may be scraped at any time."""

    registry: CollectorRegistry = field(default_factory=CollectorRegistry)
    shown: dict[str, Verdict] = field(default_factory=dict)  # by task

    def __post_init__(self) -> None:
        one = ("task", "release")
        self.drift = _gauge(self.registry, metrics.DRIFT, "1 while the verdict is drift", one)
        self.alerting = _gauge(self.registry, metrics.DRIFT_ALERTING, "1 while an alert is raised", one)
        self.insufficient = _gauge(
            self.registry, metrics.DRIFT_INSUFFICIENT, "1 while there are too few predictions to judge", one
        )
        self.rows = _gauge(self.registry, metrics.WINDOW_ROWS, "Predictions in the latest window", one)
        self.score = _gauge(self.registry, metrics.DRIFT_SCORE, "A detector's statistic", (*one, "detector"))
        self.p_value = _gauge(
            self.registry, metrics.DRIFT_P_VALUE, "A detector's Holm-adjusted p-value", (*one, "detector")
        )
        self.accuracy = _gauge(self.registry, metrics.ACCURACY, "Share of predictions that are right", (*one, "source"))
        self.malformed = _gauge(
            self.registry, metrics.LOG_MALFORMED, "Log lines passed over since the start", ("task",)
        )
        self.last_run: Gauge | None = None

    def show(self, verdict: Verdict) -> None:
        """Show a task's latest verdict; series that it does not have any more disappear."""
        before = self.shown.get(verdict.task)
        if before == verdict:
            return
        if before is not None and before.release != verdict.release:
            for gauge in (self.drift, self.alerting, self.insufficient, self.rows):
                gauge.remove(before.task, before.release)
        key = (verdict.task, verdict.release)
        self.drift.labels(*key).set(verdict.verdict == "drift")
        self.alerting.labels(*key).set(verdict.alerting)
        self.insufficient.labels(*key).set(verdict.verdict == "insufficient")
        self.rows.labels(*key).set(verdict.rows)
        _replace(self.score, before, verdict, {found.name: found.score for found in verdict.detectors})
        _replace(self.p_value, before, verdict, {found.name: found.adjusted_p_value for found in verdict.detectors})
        _replace(self.accuracy, before, verdict, _accuracies(verdict))
        self.shown[verdict.task] = verdict

    def forget(self, task: str) -> None:
        """A task of which no release serves any more."""
        before = self.shown.pop(task, None)
        if before is None:
            return
        for gauge in (self.drift, self.alerting, self.insufficient, self.rows):
            gauge.remove(before.task, before.release)
        for gauge in (self.score, self.p_value, self.accuracy):
            gauge.remove_by_labels({"task": task})

    def remove(self, task: str) -> None:
        """A task that is there no more, of which nothing is left to say."""
        self.forget(task)
        self.malformed.remove_by_labels({"task": task})

    def finished(self, now: float) -> None:
        """A look at all tasks ended. Absent before the first: a 0 would read as silence since 1970."""
        if self.last_run is None:
            self.last_run = Gauge(metrics.MONITOR_LAST_RUN, "When the monitor last looked", registry=self.registry)
        self.last_run.set(now)

    def looked(self, task: str, malformed: int) -> None:
        """Count the lines that a look passed over."""
        self.malformed.labels(task).set(malformed)


def _replace(gauge: Gauge, before: Verdict | None, verdict: Verdict, values: dict[str, float]) -> None:
    if before is not None:
        gauge.remove_by_labels({"task": before.task})
    for name, value in values.items():
        gauge.labels(verdict.task, verdict.release, name).set(value)


def _accuracies(verdict: Verdict) -> dict[str, float]:
    found = verdict.accuracy
    if found is None:
        return {}
    values = {"reference": found.reference, "measured": found.measured, "estimated": found.estimated}
    return {source: value for source, value in values.items() if value is not None}


@dataclass
class MetricsServer:
    """`/metrics` while it lives."""

    server: WSGIServer
    thread: threading.Thread

    @classmethod
    def start(cls, registry: CollectorRegistry, host: str, port: int) -> MetricsServer:
        """Listen; port 0 takes a free one. Raises SettingsError when the port cannot be had."""
        try:
            server, thread = start_http_server(port, addr=host, registry=registry)
        except OSError as error:
            raise SettingsError(
                "PERENNIAL_MONITOR_PORT", f"{host}:{port}", f"an address and a free port ({error.strerror})"
            ) from error
        return cls(server, thread)

    @property
    def port(self) -> int:
        """The port listened on."""
        return self.server.server_port

    def stop(self) -> None:
        """Stop listening."""
        self.server.shutdown()
        self.server.server_close()
        self.thread.join()
