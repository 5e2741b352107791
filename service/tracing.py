"""OpenTelemetry traces of requests, by setting. The library is imported when it is asked for, and here alone, but for
what `trace_export.py` tells of it."""

from __future__ import annotations

import logging
import os
import re
import threading
import time
from collections.abc import Iterable
from contextvars import ContextVar
from dataclasses import dataclass, field
from importlib.util import find_spec
from typing import TYPE_CHECKING
from urllib.parse import urlsplit, urlunsplit

from contracts.errors import SettingsError
from service.http.asgi import AsgiApp, Message, Receive, Scope, Send

if TYPE_CHECKING:
    from opentelemetry.context import Context
    from opentelemetry.trace import Span

logger = logging.getLogger(__name__)

_MOST_WAITING = 4096  # spans; the oldest are given up first
_BATCH = 512
_DELAY_MS = 1000
_EXPORT_SECONDS = 5.0
_CARRIED = (b"traceparent", b"tracestate")


@dataclass(slots=True)
class Stage:
    """A part of a request's time; `started` and `ended` are monotonic, in s."""

    name: str
    started: float
    ended: float
    attributes: dict[str, str | int | float] = field(default_factory=dict)


@dataclass(slots=True)
class RequestTrace:
    """What is told of one request, gathered while it is answered. It holds nothing of any text."""

    method: str
    started: float  # monotonic, s
    headers: Iterable[tuple[bytes, bytes]]
    route: str = ""  # "/v1/models/{task}:predict": a name made up by a caller is none of its own
    task: str = ""
    release: str = ""
    caller: str = ""
    texts: int = 0
    status: int = 0
    stages: list[Stage] = field(default_factory=list)

    def stage(self, name: str, started: float, ended: float, **attributes: str | int | float) -> None:
        """Add a part: what is known of it only when it is over."""
        self.stages.append(Stage(name, started, ended, attributes))


# Of the request that this task answers, where traces are made.
TRACE: ContextVar[RequestTrace | None] = ContextVar("trace", default=None)


def check_installed(url: str) -> None:
    """Raises SettingsError when the library is not there; imports nothing of it."""
    try:
        found = find_spec("opentelemetry.exporter.otlp.proto.http") is not None
    except ModuleNotFoundError:
        found = False
    if not found:
        expected = "nothing, or OpenTelemetry's exporter beside it (`pip install -e '.[tracing]'`)"
        # Only the host: a URL may hold a password.
        raise SettingsError("PERENNIAL_TRACES", urlsplit(url).hostname, expected)


def route_template(path: str, task: str) -> str:
    """A path with names in place of what callers fill in, so that there are few of them."""
    if not task:
        return path
    before, models, after = path.partition(f"/models/{task}")
    if not models:
        return ""
    return f"{before}/models/{{task}}" + re.sub(r"(?<=/versions/)[^/]+", "{version}", after)


def collector_url(given: str) -> str:
    """Where traces are posted: the given URL, with the path that the protocol names where it has none."""
    parts = urlsplit(given)
    return urlunsplit(parts._replace(path="/v1/traces")) if parts.path in ("", "/") else given


class Tracing:
    """Sends one span a request, and a child for each of its stages, to a collector over OTLP (http/protobuf).

    Spans wait in a bounded queue for a thread that sends them; while the collector is away they are given up, which is
    told once, and requests notice nothing. A caller's `traceparent` is continued, and its decision to sample is kept.
    The standard OTEL_* variables are read for what is not said here: headers of the exporter, sampler, resource. Raises
    SettingsError when the library is not installed.
    """

    def __init__(self, url: str) -> None:
        check_installed(url)
        from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
        from opentelemetry.sdk.resources import OTELResourceDetector, Resource
        from opentelemetry.sdk.trace import TracerProvider
        from opentelemetry.sdk.trace.export import BatchSpanProcessor
        from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

        from service.trace_export import TellingExporter

        resource = Resource({"service.name": "perennial", "process.pid": os.getpid()})
        # Not the global provider: what other libraries make of that is theirs.
        self._provider = TracerProvider(
            resource=resource.merge(OTELResourceDetector().detect()), shutdown_on_exit=False
        )
        endpoint = collector_url(url)
        sender = OTLPSpanExporter(endpoint=endpoint, timeout=_EXPORT_SECONDS)
        # What is before an @ may be a password.
        exporter = TellingExporter(sender, endpoint.rpartition("@")[2])
        self._provider.add_span_processor(
            BatchSpanProcessor(
                exporter,
                max_queue_size=_MOST_WAITING,
                schedule_delay_millis=_DELAY_MS,
                max_export_batch_size=_BATCH,
            )
        )
        self._tracer = self._provider.get_tracer("perennial")
        self._propagator = TraceContextTextMapPropagator()

    async def answer(self, app: AsgiApp, scope: Scope, receive: Receive, send: Send) -> None:
        """Have `app` answer a request, and record what it tells of it in TRACE."""
        trace = RequestTrace(scope["method"], time.monotonic(), scope["headers"])
        TRACE.set(trace)

        async def noted(message: Message) -> None:
            if message["type"] == "http.response.start":
                trace.status = message["status"]
            await send(message)

        try:
            await app(scope, receive, noted)
        finally:
            self.record(trace, time.monotonic())

    def record(self, trace: RequestTrace, ended: float) -> None:
        """Make the spans of a request that was answered at monotonic time `ended`. Never raises."""
        try:
            self._record(trace, ended)
        except Exception:
            # The request was answered; whatever is wrong with its trace is no reason to break the connection.
            logger.exception("A trace could not be made.")

    def stop(self, seconds: float) -> None:
        """Send what waits, for at most `seconds`; what is left then is lost."""
        last = threading.Thread(target=self._provider.shutdown, name="last-traces", daemon=True)
        last.start()
        last.join(seconds)

    def _record(self, trace: RequestTrace, ended: float) -> None:
        from opentelemetry.trace import SpanKind, Status, StatusCode, set_span_in_context

        epoch = time.time_ns() - round(1e9 * time.monotonic())
        span = self._tracer.start_span(
            f"{trace.method} {trace.route}".rstrip(),
            context=self._context(trace.headers),
            kind=SpanKind.SERVER,
            start_time=epoch + round(1e9 * trace.started),
        )
        if not span.is_recording():
            return
        _describe(span, trace)
        if trace.status >= 500:
            span.set_status(Status(StatusCode.ERROR))
        inside = set_span_in_context(span)
        for stage in trace.stages:
            child = self._tracer.start_span(
                stage.name,
                context=inside,
                start_time=epoch + round(1e9 * stage.started),
                attributes=dict(stage.attributes),
            )
            child.end(epoch + round(1e9 * stage.ended))
        span.end(epoch + round(1e9 * ended))

    def _context(self, headers: Iterable[tuple[bytes, bytes]]) -> Context:
        from opentelemetry.context import Context

        carried = {name.decode(): value.decode("latin-1") for name, value in headers if name in _CARRIED}
        return self._propagator.extract(carried, Context())


def _describe(span: Span, trace: RequestTrace) -> None:
    """Names of OpenTelemetry's semantic conventions for HTTP where there are such."""
    span.set_attribute("http.request.method", trace.method)
    for name, value in (
        ("http.route", trace.route),
        # None where the caller hung up.
        ("http.response.status_code", trace.status),
        ("perennial.task", trace.task),
        ("perennial.release", trace.release),
        ("perennial.caller", trace.caller),
        ("perennial.texts", trace.texts),
    ):
        if value:
            span.set_attribute(name, value)
