"""The service's Prometheus metrics: every name is one of `contracts/metrics.py`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeVar

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    disable_created_metrics,
    generate_latest,
    values,
)
from prometheus_client.multiprocess import MultiProcessCollector, mark_process_dead

from contracts import metrics as names

MULTIPROCESS_VARIABLE = "PROMETHEUS_MULTIPROC_DIR"  # prometheus_client reads it when it is imported
CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"

_Child = TypeVar("_Child", Counter, Histogram)

_SECONDS = (
    0.001, 0.002, 0.003, 0.004, 0.005, 0.0075, 0.01, 0.015, 0.02, 0.03, 0.04, 0.05, 0.075, 0.1, 0.15, 0.2, 0.25,
    0.5, 1.0, 2.5, 5.0, 10.0,
)  # fmt: skip
_SIZES = (1, 2, 4, 8, 16, 32, 64, 128, 256)
_TOKENS = (16, 32, 64, 128, 256, 512, 1024, 2048, 4096, 8192)


class _Children(dict[tuple[str, ...], _Child]):
    """A metric's children by their labels: a third of the price of `labels()`, which checks them each time."""

    def __init__(self, metric: _Child) -> None:
        super().__init__()
        self._metric: _Child = metric

    def __missing__(self, labels: tuple[str, ...]) -> _Child:
        child: _Child = self._metric.labels(*labels)
        self[labels] = child
        return child


class ServiceMetrics:
    """All metrics of one worker process.

    `multiprocess_folder` is PROMETHEUS_MULTIPROC_DIR where several workers share one scrape, else None; its files bear
    the worker's number and not the process's: however often a worker is replaced, they are no more.
    """

    def __init__(self, multiprocess_folder: str | None = None, worker: int = 0) -> None:
        disable_created_metrics()
        if multiprocess_folder is not None:
            values.ValueClass = values.MultiProcessValue(lambda: worker)
        self.registry = CollectorRegistry()
        self._multiprocess_folder = multiprocess_folder
        registry = None if multiprocess_folder else self.registry
        self.requests = Counter(
            names.REQUESTS, "Requests answered, by status code", ("task", "route", "code"), registry=registry
        )
        self.request_seconds = Histogram(
            names.REQUEST_SECONDS,
            "From the first byte of a request to its answer",
            ("task", "route"),
            buckets=_SECONDS,
            registry=registry,
        )
        self.predictions = Counter(
            names.PREDICTIONS, "Texts answered, by label", ("task", "release", "label"), registry=registry
        )
        self.batch_size = Histogram(
            names.BATCH_SIZE, "Texts in one session run", ("task",), buckets=_SIZES, registry=registry
        )
        self.batch_tokens = Histogram(
            names.BATCH_TOKENS,
            "Tokens in one session run, padding included",
            ("task",),
            buckets=_TOKENS,
            registry=registry,
        )
        self.run_tokens = Counter(
            names.RUN_TOKENS, "Tokens of session runs: of texts, and padding", ("task", "kind"), registry=registry
        )
        self.queue_tokens = Gauge(
            names.QUEUE_TOKENS, "Tokens that wait", ("task",), registry=registry, multiprocess_mode="livesum"
        )
        self.prediction_seconds = Histogram(
            names.PREDICTION_SECONDS,
            "From the first byte of a request to its answer, by the release that answered",
            ("task", "release", "role"),
            buckets=_SECONDS,
            registry=registry,
        )
        self.model_failures = Counter(
            names.MODEL_FAILURES, "Texts for which a release gave no answer", ("task", "release"), registry=registry
        )
        self.shadow_predictions = Counter(
            names.SHADOW_PREDICTIONS,
            "Texts for a shadow: its label was the same or another than the one answered, or it had no time",
            ("task", "release", "outcome"),
            registry=registry,
        )
        self.cache_lookups = Counter(
            names.CACHE_LOOKUPS, "Texts looked up among earlier ones", ("task", "outcome"), registry=registry
        )
        self.release_info = Gauge(
            names.RELEASE_INFO,
            "1 for the release that answers, 0 for one that did",
            ("task", "release", "role"),
            registry=registry,
            multiprocess_mode="livemax",
        )
        self.release_failures = Counter(
            names.RELEASE_FAILURES, "Releases that could not be loaded", ("task",), registry=registry
        )
        self.log_written = Counter(names.LOG_WRITTEN, "Prediction records written", ("task",), registry=registry)
        self.log_dropped = Counter(names.LOG_DROPPED, "Prediction records lost", ("task", "reason"), registry=registry)
        self.api_keys_stale = Gauge(
            names.API_KEYS_STALE,
            "1 while the file of API keys cannot be used and those read before are in force",
            registry=registry,
            multiprocess_mode="livemax",
        )
        self.feedback = Counter(names.FEEDBACK, "Labels received and made durable", ("task",), registry=registry)

        self._requests: _Children[Counter] = _Children(self.requests)
        self._request_seconds: _Children[Histogram] = _Children(self.request_seconds)
        self._batch_size: _Children[Histogram] = _Children(self.batch_size)
        self._batch_tokens: _Children[Histogram] = _Children(self.batch_tokens)
        self._run_tokens: _Children[Counter] = _Children(self.run_tokens)
        self._predictions: _Children[Counter] = _Children(self.predictions)
        self._prediction_seconds: _Children[Histogram] = _Children(self.prediction_seconds)

    def answered(self, labels: tuple[str, str], status: int, seconds: float) -> None:
        """One request; `labels` are task and route."""
        self._requests[*labels, str(status)].inc()
        self._request_seconds[labels].observe(seconds)

    def predicted(self, task: str, release: str, role: str, labels: Sequence[str], seconds: float) -> None:
        """One request's texts, answered by one release."""
        for label in labels:
            self._predictions[task, release, label].inc()
        self._prediction_seconds[task, release, role].observe(seconds)

    def ran(self, task: str, lengths: Sequence[int], tokens: int) -> None:
        """One session run over texts of these lengths, `tokens` with padding."""
        self._batch_size[task,].observe(len(lengths))
        self._batch_tokens[task,].observe(tokens)
        text_tokens = sum(lengths)
        self._run_tokens[task, "text"].inc(text_tokens)
        self._run_tokens[task, "padding"].inc(tokens - text_tokens)

    def render(self) -> bytes:
        """All metrics in Prometheus' text format; those of all workers in multiprocess mode."""
        if self._multiprocess_folder is None:
            return generate_latest(self.registry)
        return render_workers(self._multiprocess_folder)


def render_workers(multiprocess_folder: str) -> bytes:
    """The metrics of all workers that share this folder, in Prometheus' text format."""
    registry = CollectorRegistry()
    MultiProcessCollector(registry, path=multiprocess_folder)
    return generate_latest(registry)


def forget_gauges(multiprocess_folder: str, worker: int) -> None:
    """Of a worker that is dead; its counters are kept, and whoever takes its place counts on."""
    mark_process_dead(worker, multiprocess_folder)
