"""What the log says while the collector of traces is away."""

from __future__ import annotations

import logging
import socket
import threading
from collections.abc import Sequence

import pytest
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.trace.export import SpanExporter, SpanExportResult

from service.trace_export import TellingExporter
from service.tracing import RequestTrace, Tracing

SUCCESS, FAILURE = SpanExportResult.SUCCESS, SpanExportResult.FAILURE
LIBRARY = logging.getLogger("opentelemetry.exporter.otlp.proto.http.trace_exporter")


class Scripted(SpanExporter):
    """Gives one result after the other, and says of failures what the library says."""

    def __init__(self, *results: SpanExportResult | Exception) -> None:
        self._results = iter(results)

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        result = next(self._results)
        if isinstance(result, Exception):
            raise result
        if result is FAILURE:
            LIBRARY.warning("Transient error %s", "no route to host")
        return result

    def shutdown(self) -> None:
        pass


def exported(*results: SpanExportResult | Exception) -> list[SpanExportResult]:
    """What comes of a batch of two spans for each result."""
    exporter = TellingExporter(Scripted(*results), "http://collector:4318/v1/traces")
    try:
        return [exporter.export([ReadableSpan("one"), ReadableSpan("two")]) for _ in results]
    finally:
        exporter.shutdown()


def test_away_and_back_are_told_once_each(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    results = (SUCCESS, FAILURE, FAILURE, FAILURE, SUCCESS, SUCCESS, FAILURE)
    assert exported(*results) == list(results)
    away, back, again = [(record.levelname, record.getMessage()) for record in caplog.records]
    assert away[0] == again[0] == "WARNING"
    assert "do not reach http://collector:4318/v1/traces" in away[1]
    assert away[1].endswith("Transient error no route to host")
    assert back == ("INFO", "Traces reach http://collector:4318/v1/traces again; at least 6 spans were lost.")


def test_what_the_library_raises_is_a_failure_that_is_told(caplog: pytest.LogCaptureFixture) -> None:
    assert exported(ValueError("strange"), SUCCESS) == [FAILURE, SUCCESS]
    assert "ValueError: strange" in caplog.text


def test_the_librarys_own_words_are_heard_again_afterwards(caplog: pytest.LogCaptureFixture) -> None:
    exported(SUCCESS)
    LIBRARY.warning("of somebody else")
    assert "of somebody else" in caplog.text


def test_a_collector_that_is_away_is_one_line(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    with socket.socket() as nobody:
        nobody.bind(("127.0.0.1", 0))  # and does not listen
        tracing = Tracing(f"http://user:password@127.0.0.1:{nobody.getsockname()[1]}")
        for _ in range(5000):
            tracing.record(RequestTrace("GET", 100.0, []), 100.01)
        never = threading.Event()
        assert any(caplog.records or never.wait(0.05) for _ in range(600))
        never.wait(2.0)  # for what else it might say
        told = [record.getMessage() for record in caplog.records]
        tracing.stop(0.1)
    assert len(told) == 1, told
    assert told[0].startswith("Traces do not reach 127.0.0.1:")
    assert "password" not in caplog.text
