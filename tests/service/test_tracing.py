"""Traces as a collector gets them: a real one, over HTTP, which reads the protobuf messages."""

from __future__ import annotations

import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import httpx
import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.trace.v1.trace_pb2 import Span, Status

from contracts.errors import SettingsError
from contracts.home import Home
from contracts.release import Manifest
from service.settings import ServiceSettings
from service.tracing import RequestTrace, Tracing, collector_url, route_template

TRACE = "0af7651916cd43dd8448eb211c80319c"
PARENT = "b7ad6b7169203331"


class Collector:
    """An OTLP collector that keeps what it gets."""

    def __init__(self) -> None:
        self.requests: list[ExportTraceServiceRequest] = []
        self.paths: list[str] = []
        collector = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["content-length"]))
                collector.paths.append(self.path)
                collector.requests.append(ExportTraceServiceRequest.FromString(body))
                self.send_response(200)
                self.send_header("content-length", "0")
                self.end_headers()

            def log_message(self, format: str, *args: object) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"
        self._thread = threading.Thread(target=self._server.serve_forever)
        self._thread.start()

    def spans(self) -> list[Span]:
        return [
            span
            for request in self.requests
            for resource in request.resource_spans
            for scope in resource.scope_spans
            for span in scope.spans
        ]

    def wait_for(self, what: Callable[[list[Span]], Any]) -> list[Span]:
        end = time.monotonic() + 60
        while not what(self.spans()):
            assert time.monotonic() < end, f"not within 60 s: {self.spans()}"
            time.sleep(0.02)
        return self.spans()

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


@pytest.fixture
def collector() -> Iterator[Collector]:
    found = Collector()
    yield found
    found.close()


def attributes(span: Span) -> dict[str, object]:
    return {one.key: getattr(one.value, str(one.value.WhichOneof("value"))) for one in span.attributes}


def trace_of(status: int = 200, **known: Any) -> RequestTrace:
    return RequestTrace("POST", 100.0, known.pop("headers", []), "/v1/models/{task}:predict", status=status, **known)


def test_a_request_is_one_span_with_its_stages_as_children(collector: Collector) -> None:
    tracing = Tracing(collector.url)
    trace = trace_of(task="support", release="0003", caller="alice", texts=2)
    trace.stage("tokenize", 100.001, 100.002)
    trace.stage("run", 100.003, 100.009, tokens=64)
    tracing.record(trace, 100.010)
    tracing.stop(30)
    assert collector.paths == ["/v1/traces"]
    spans = {span.name: span for span in collector.spans()}
    assert set(spans) == {"POST /v1/models/{task}:predict", "tokenize", "run"}
    request = spans["POST /v1/models/{task}:predict"]
    assert attributes(request) == {
        "http.request.method": "POST",
        "http.response.status_code": 200,
        "http.route": "/v1/models/{task}:predict",
        "perennial.task": "support",
        "perennial.release": "0003",
        "perennial.caller": "alice",
        "perennial.texts": 2,
    }
    assert request.kind == Span.SPAN_KIND_SERVER
    assert request.parent_span_id == b""
    assert abs((request.end_time_unix_nano - request.start_time_unix_nano) / 1e9 - 0.010) < 1e-6
    for name, seconds in (("tokenize", 0.001), ("run", 0.006)):
        child = spans[name]
        assert (child.trace_id, child.parent_span_id) == (request.trace_id, request.span_id)
        assert abs((child.end_time_unix_nano - child.start_time_unix_nano) / 1e9 - seconds) < 1e-6
    assert spans["run"].start_time_unix_nano - request.start_time_unix_nano == pytest.approx(3e6, abs=1000)
    assert attributes(spans["run"]) == {"tokens": 64}
    resource = collector.requests[0].resource_spans[0].resource
    assert ("service.name", "perennial") in {(one.key, one.value.string_value) for one in resource.attributes}


def test_the_time_of_a_span_is_the_time_of_day(collector: Collector) -> None:
    tracing = Tracing(collector.url)
    before, now = time.time_ns(), time.monotonic()
    tracing.record(RequestTrace("GET", now, []), now)
    tracing.stop(30)
    [span] = collector.spans()
    assert abs(span.start_time_unix_nano - before) < 60e9


def test_a_callers_trace_is_continued(collector: Collector) -> None:
    tracing = Tracing(collector.url)
    headers = [(b"traceparent", f"00-{TRACE}-{PARENT}-01".encode()), (b"tracestate", b"vendor=1")]
    tracing.record(trace_of(headers=headers), 100.01)
    tracing.stop(30)
    [span] = collector.spans()
    assert (span.trace_id.hex(), span.parent_span_id.hex()) == (TRACE, PARENT)
    assert span.trace_state == "vendor=1"


def test_a_caller_that_does_not_sample_is_not_overruled(collector: Collector) -> None:
    tracing = Tracing(collector.url)
    trace = trace_of(headers=[(b"traceparent", f"00-{TRACE}-{PARENT}-00".encode())])
    trace.stage("run", 100.0, 100.01)
    tracing.record(trace, 100.01)
    tracing.record(trace_of(503), 100.01)
    tracing.stop(30)
    [span] = collector.spans()
    assert attributes(span)["http.response.status_code"] == 503
    assert span.status.code == Status.STATUS_CODE_ERROR


@pytest.mark.parametrize(
    "value",
    [b"", b"junk", b"\xff\xfe", b"00-" + b"0" * 32 + b"-" + b"0" * 16 + b"-01", f"00-{TRACE}-{PARENT}".encode() * 99],
)
def test_a_malformed_parent_begins_a_trace_anew(collector: Collector, value: bytes) -> None:
    tracing = Tracing(collector.url)
    tracing.record(trace_of(404, headers=[(b"traceparent", value)]), 100.01)
    tracing.stop(30)
    [span] = collector.spans()
    assert span.trace_id.hex() != TRACE
    assert span.parent_span_id == b""
    assert span.status.code == Status.STATUS_CODE_UNSET, "a caller's mistake is no error of the service"


def test_a_collector_that_is_away_costs_neither_time_nor_memory() -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:  # accepts, and never answers
        tracing = Tracing(f"http://127.0.0.1:{silent.getsockname()[1]}")
        for _ in range(20_000):
            tracing.record(trace_of(), 100.01)
        [processor] = tracing._provider._active_span_processor._span_processors
        assert len(processor._batch_processor._queue) <= 4096
        tracing.stop(0.1)
        tracing.record(trace_of(), 100.01)


def test_importing_and_leaving_it_off_loads_nothing_of_the_library() -> None:
    program = "import sys, service.tracing, service.settings; sys.exit(any('opentelemetry' in n for n in sys.modules))"
    root = Path(__file__).resolve().parents[2]
    assert subprocess.run([sys.executable, "-c", program], cwd=root, check=False).returncode == 0


def test_without_the_library_the_setting_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("service.tracing.find_spec", lambda _: None)
    with pytest.raises(SettingsError, match=r"PERENNIAL_TRACES.*pip install -e") as caught:
        Tracing("http://user:password@collector:4318")
    assert "password" not in str(caught.value)


def test_where_spans_go() -> None:
    assert collector_url("http://c:4318") == "http://c:4318/v1/traces"
    assert collector_url("https://c/") == "https://c/v1/traces"
    assert collector_url("https://c/otlp/x?key=1") == "https://c/otlp/x?key=1"


@pytest.mark.parametrize("url", ["collector:4318", "grpc://c:4317", "http://", "/v1/traces", "ftp://me:password@c"])
def test_an_address_that_is_none_is_refused(tmp_path: Path, url: str) -> None:
    with pytest.raises(SettingsError, match="PERENNIAL_TRACES") as caught:
        ServiceSettings.from_environment({"PERENNIAL_HOME": str(tmp_path), "PERENNIAL_TRACES": url})
    assert "password" not in str(caught.value)


def test_names_that_callers_make_are_no_part_of_a_route() -> None:
    assert route_template("/v1/models/models:predict", "models") == "/v1/models/{task}:predict"
    assert route_template("/v2/models/a/versions/0001/infer", "a") == "/v2/models/{task}/versions/{version}/infer"
    assert route_template("/v1/models", "") == "/v1/models"


@pytest.mark.parametrize("workers", ["1", "2"])
def test_a_service_traces_every_route(
    home: Home,
    release_served: Callable[..., Manifest],
    start_server: Callable[..., Any],
    collector: Collector,
    workers: str,
) -> None:
    release_served(home)
    key = "alice-secret-0123456789"
    environment = {
        "PERENNIAL_TRACES": collector.url,
        "PERENNIAL_WORKERS": workers,
        "PERENNIAL_API_KEYS": f"alice:{key}",
    }
    server = start_server(home, environment=environment)
    traced = {"traceparent": f"00-{TRACE}-{PARENT}-01", "x-api-key": key}

    def post(path: str, body: object) -> int:
        headers = {**traced, "connection": "close"}
        return httpx.post(server.url + path, json=body, headers=headers, timeout=30).status_code

    tensor = {"name": "text", "shape": [1], "datatype": "BYTES", "data": ["my invoice"]}
    assert post("/v1/models/support:predict", {"instances": ["my invoice", "the courier"]}) == 200
    assert post("/v1/models/support:predict", {"instances": []}) == 422
    assert post("/v1/models/made-up-by-a-caller:predict", {"instances": ["x"]}) == 404
    assert post("/v2/models/support/infer", {"inputs": [tensor]}) == 200
    assert post("/predict", {"task": "support", "instances": ["my invoice"]}) == 200
    assert post("/made/up", {}) == 404
    assert httpx.get(f"{server.url}/v1/models").status_code == 401
    server.process.terminate()
    assert server.process.wait(60) == 0, "what waits is sent before the end"
    spans = collector.spans()
    requests = [
        (one.name, attributes(one))
        for one in spans
        if one.trace_id.hex() == TRACE and one.parent_span_id.hex() == PARENT
    ]
    assert sorted(
        (name, found["http.response.status_code"], found.get("perennial.texts", 0)) for name, found in requests
    ) == [
        ("POST", 200, 1),
        ("POST", 404, 0),
        ("POST /v1/models/{task}:predict", 200, 2),
        ("POST /v1/models/{task}:predict", 404, 0),
        ("POST /v1/models/{task}:predict", 422, 0),
        ("POST /v2/models/{task}/infer", 200, 1),
    ]
    assert "GET /v1/models" in {one.name for one in spans if one.trace_id.hex() != TRACE}
    [predicted] = [one for one in spans if attributes(one).get("perennial.texts") == 2]
    assert attributes(predicted)["perennial.task"] == "support"
    assert attributes(predicted)["perennial.release"] == "0001"
    assert attributes(predicted)["perennial.caller"] == "alice"
    parts = [one for one in spans if one.parent_span_id == predicted.span_id]
    times = [predicted.start_time_unix_nano]
    assert [one.name for one in sorted(parts, key=lambda one: one.start_time_unix_nano)] == ["tokenize", "queue", "run"]
    for part in sorted(parts, key=lambda one: one.start_time_unix_nano):
        times += [part.start_time_unix_nano, part.end_time_unix_nano]
    assert times == sorted(times)
    assert times[-1] <= predicted.end_time_unix_nano + 1_000_000
    sent = b"".join(request.SerializeToString() for request in collector.requests)
    for secret in (b"invoice", b"courier", key.encode(), b"made-up", b"made/up"):
        assert secret not in sent
