"""What becomes of spans is told in two lines: that the collector is away, and that it is back."""

from __future__ import annotations

import logging
from collections.abc import Sequence

from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.trace.export import SpanExporter, SpanExportResult

logger = logging.getLogger(__name__)

# They say at each try, and some for each span, that it failed.
_EXPORTERS = "opentelemetry.exporter.otlp"
_TALKATIVE = ("urllib3.connectionpool", "opentelemetry.sdk._shared_internal")
_LONGEST_REASON = 300


class TellingExporter(SpanExporter):
    """Exports through `exporter`, whose own messages are not logged: their last one is told as the reason.

    `collector` is its address, without any password. From when it is made until `shutdown`, the library is quiet.
    """

    def __init__(self, exporter: SpanExporter, collector: str) -> None:
        self._exporter = exporter
        self._collector = collector
        self._lost: int | None = None  # spans, since it is away
        self._reason = _LastMessage()
        exporters = logging.getLogger(_EXPORTERS)
        exporters.addHandler(self._reason)
        exporters.propagate = False
        for name in _TALKATIVE:
            logging.getLogger(name).setLevel(logging.ERROR)

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        """Blocks until they are sent or given up."""
        try:
            result = self._exporter.export(spans)
        except (OSError, ValueError) as error:
            # `requests` raises both kinds; the exporter catches some of them only.
            self._reason.text = f"{type(error).__name__}: {error}"
            result = SpanExportResult.FAILURE
        if result is SpanExportResult.SUCCESS:
            if self._lost is not None:
                logger.info("Traces reach %s again; at least %d spans were lost.", self._collector, self._lost)
            self._lost = None
        elif self._lost is None:
            self._lost = len(spans)
            logger.warning(
                "Traces do not reach %s and are lost until they do; requests are answered all the same. %s",
                self._collector,
                self._reason.text[:_LONGEST_REASON],
            )
        else:
            self._lost += len(spans)
        return result

    def shutdown(self) -> None:
        """Let go of the collector."""
        self._exporter.shutdown()
        exporters = logging.getLogger(_EXPORTERS)
        exporters.removeHandler(self._reason)
        exporters.propagate = True
        for name in _TALKATIVE:
            logging.getLogger(name).setLevel(logging.NOTSET)


class _LastMessage(logging.Handler):
    """Keeps what was said last in place of logging it."""

    def __init__(self) -> None:
        super().__init__()
        self.text = ""

    def emit(self, record: logging.LogRecord) -> None:
        self.text = record.getMessage()
