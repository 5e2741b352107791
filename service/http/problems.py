"""The one place where errors become HTTP: RFC 9457 problem details, `application/problem+json`."""

from __future__ import annotations

from dataclasses import dataclass, field

import orjson

from contracts.errors import LogWriteError, PerennialError
from service.errors import (
    BodyMalformedError,
    BodyTooLargeError,
    BodyTooSlowError,
    DeadlineError,
    FeedbackLateError,
    HeaderInvalidError,
    HostInvalidError,
    KindUnsupportedError,
    MediaTypeError,
    MethodNotAllowedError,
    MetricsElsewhereError,
    NotReadyError,
    PredictionUnknownError,
    QueueFullError,
    RateLimitedError,
    RequestInvalidError,
    RouteUnknownError,
    StoppingError,
    TaskNotServedError,
    TaskUnknownError,
    UnauthorizedError,
    VersionNotServedError,
    WaitTooLongError,
)
from service.http.connection_errors import (
    BodiesFullError,
    ConnectionsFullError,
    HalfClosedError,
    HeadTooLargeError,
    HeadTooSlowError,
    NotHttpError,
)

CONTENT_TYPE = b"application/problem+json"
TYPE_PREFIX = "urn:perennial:problem:"

# Error class -> status, last part of `type`, title. An error that is not here is a defect of ours: 500.
TABLE: dict[type[Exception], tuple[int, str, str]] = {
    NotHttpError: (400, "not-http", "That is no request of HTTP"),
    BodyMalformedError: (400, "malformed-json", "The body is not JSON"),
    RequestInvalidError: (422, "invalid-request", "The body is not what this route expects"),
    BodyTooLargeError: (413, "body-too-large", "The body is too large"),
    BodyTooSlowError: (408, "body-too-slow", "The body did not come in time"),
    HeadTooSlowError: (408, "head-too-slow", "The request did not come in time"),
    HeadTooLargeError: (431, "head-too-large", "The headers are too large"),
    UnauthorizedError: (401, "unauthorized", "The caller is not known"),
    RateLimitedError: (429, "rate-limited", "The caller sends too much"),
    MediaTypeError: (415, "unsupported-media-type", "The body is not of a type that is read here"),
    RouteUnknownError: (404, "unknown-route", "There is nothing at this address"),
    MetricsElsewhereError: (404, "unknown-route", "There is nothing at this address"),
    MethodNotAllowedError: (405, "method-not-allowed", "This address does not answer that method"),
    TaskUnknownError: (404, "unknown-task", "There is no such task"),
    VersionNotServedError: (404, "version-not-served", "That release of the task is not loaded"),
    PredictionUnknownError: (404, "unknown-prediction", "There is no such prediction"),
    TaskNotServedError: (503, "task-not-served", "No release of this task is loaded"),
    NotReadyError: (503, "not-ready", "The service is not ready"),
    QueueFullError: (503, "queue-full", "Too much work waits"),
    WaitTooLongError: (503, "queue-full", "Too much work waits"),
    ConnectionsFullError: (503, "connections-full", "Too many connections are open"),
    BodiesFullError: (503, "bodies-full", "Too many long bodies are coming"),
    DeadlineError: (504, "deadline-exceeded", "The answer was not ready in time"),
    FeedbackLateError: (504, "deadline-exceeded", "The answer was not ready in time"),
    HalfClosedError: (504, "half-closed", "The caller sends no more, and the answer is not ready"),
    KindUnsupportedError: (422, "unsupported-kind", "That is not for this kind of task"),
    HeaderInvalidError: (400, "invalid-header", "A header is not what was expected"),
    HostInvalidError: (400, "invalid-host", "The request does not say where it goes"),
    StoppingError: (503, "stopping", "The service is stopping"),
    LogWriteError: (503, "not-recorded", "The feedback could not be recorded"),
}

# What is not there for the moment, without anything being known of how long.
_BUSY = 503
_SOON = b"1"
_INTERNAL = (500, "internal-error", "The service failed")
_INTERNAL_DETAIL = "An unexpected error was logged by the service. Try again; if it stays, look into its log."


@dataclass(frozen=True)
class Problem:
    """One problem response."""

    status: int
    body: bytes
    headers: list[tuple[bytes, bytes]] = field(default_factory=list)
    content_type: bytes = CONTENT_TYPE


def status_of(error: Exception) -> int:
    """The HTTP status of an error."""
    return TABLE.get(type(error), _INTERNAL)[0]


def detail_of(error: Exception) -> str:
    """The sentence for the caller. An unexpected error shows nothing of itself."""
    return str(error) if isinstance(error, PerennialError) and status_of(error) != _INTERNAL[0] else _INTERNAL_DETAIL


def line_of(error: Exception) -> str:
    """The same where there is room for one sentence and no more: all that is wrong with a request is in it."""
    if isinstance(error, RequestInvalidError):
        return " ".join(f"{one.pointer}: {one.detail}" for one in error.violations)
    return detail_of(error)


def problem_of(error: Exception, instance: str) -> Problem:
    """What a caller is told. `instance` is the path of the request. An unexpected error shows nothing of itself."""
    status, name, title = TABLE.get(type(error), _INTERNAL)
    content: dict[str, object] = {
        "type": TYPE_PREFIX + name,
        "title": title,
        "status": status,
        "detail": detail_of(error),
        "instance": instance,
    }
    headers: list[tuple[bytes, bytes]] = []
    if isinstance(error, RequestInvalidError):
        content["errors"] = [{"pointer": one.pointer, "detail": one.detail} for one in error.violations]
    elif isinstance(error, PredictionUnknownError):
        # An id of a caller's making may hold half of a surrogate pair, which no answer can.
        content["unknown"] = [
            {"index": index, "id": identifier[:128].encode("utf-8", "backslashreplace").decode()}
            for index, identifier in error.unknown
        ]
    elif isinstance(error, MethodNotAllowedError):
        headers.append((b"allow", ", ".join(error.allowed).encode()))
    elif isinstance(error, UnauthorizedError):
        # RFC 6750, section 3: no error code for a request without any key.
        problem = b', error="invalid_token"' if error.given else b""
        headers.append((b"www-authenticate", b'Bearer realm="perennial"' + problem))
    elif isinstance(error, QueueFullError | RateLimitedError | WaitTooLongError):
        headers.append((b"retry-after", str(error.retry_after).encode()))
    elif status == _BUSY:
        headers.append((b"retry-after", _SOON))
    if isinstance(
        error,
        BodyTooLargeError
        | BodyTooSlowError
        | HeadTooLargeError
        | HeadTooSlowError
        | HostInvalidError
        | NotHttpError
        | StoppingError,
    ):
        headers.append((b"connection", b"close"))
    return Problem(status, orjson.dumps(content), headers)
