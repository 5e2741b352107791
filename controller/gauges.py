"""The controller's Prometheus metrics, under the names of `contracts.metrics`."""

from __future__ import annotations

from collections.abc import Iterable

from prometheus_client import CollectorRegistry, Counter, Gauge, generate_latest

from contracts.metrics import ALERTS, DECISIONS, JOB_RUNNING


class ControllerMetrics:
    """Counts from the start of this process; Prometheus copes with the reset."""

    def __init__(self) -> None:
        self._registry = CollectorRegistry()
        self._alerts = Counter(ALERTS, "Alerts received.", ["status"], registry=self._registry)
        self._decisions = Counter(DECISIONS, "Decisions recorded.", ["task", "action"], registry=self._registry)
        self._running = Gauge(JOB_RUNNING, "1 while a training job runs.", ["task"], registry=self._registry)

    def count_alert(self, status: str) -> None:
        """One alert of this status came in."""
        self._alerts.labels(status).inc()

    def count_decision(self, task: str, action: str) -> None:
        """One decision was recorded."""
        self._decisions.labels(task, action).inc()

    def show_running(self, tasks: Iterable[str], running: set[str]) -> None:
        """1 for the tasks whose job runs, 0 for the others."""
        for task in {*tasks, *running}:
            self._running.labels(task).set(task in running)

    def expose(self) -> bytes:
        """The text format of Prometheus."""
        return generate_latest(self._registry)
