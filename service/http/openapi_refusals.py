"""Refusals in the OpenAPI document: what each status means, with examples in the errors' own words; pure."""

from __future__ import annotations

from typing import NamedTuple

import orjson

from service.errors import (
    BodyMalformedError,
    BodyTooLargeError,
    BodyTooSlowError,
    DeadlineError,
    FeedbackLateError,
    HeaderInvalidError,
    KindUnsupportedError,
    MediaTypeError,
    MethodNotAllowedError,
    MetricsElsewhereError,
    ModelOutputError,
    NotReadyError,
    PredictionUnknownError,
    QueueFullError,
    RateLimitedError,
    RequestInvalidError,
    StoppingError,
    TaskNotServedError,
    TaskUnknownError,
    UnauthorizedError,
    VersionNotServedError,
    Violation,
    WaitTooLongError,
)
from service.http.asgi import BODY_SECONDS
from service.http.json_schema import Schema, ref
from service.http.problems import line_of, problem_of
from service.settings import ServiceSettings

JSON = "application/json"
PROBLEM = "application/problem+json"

# What each status means here, and whether it says when to come back.
REFUSALS: dict[int, tuple[str, bool]] = {
    400: ("The body is not JSON, or a header is not what was expected.", False),
    401: ("An API key is expected, where the service has any.", False),
    404: ("There is no such task, release or prediction, or nothing at this address.", False),
    405: ("The address does not answer that method.", False),
    408: ("The body did not come in time.", False),
    413: ("The body is larger than the service's limit.", False),
    415: ("The body is of another type.", False),
    422: ("The body is not what this route expects (each place is named), or the task is of another kind.", False),
    429: ("The caller sends more than its rate limit.", True),
    500: ("The service failed; its log says why.", False),
    503: ("Not served yet, too much work waits, or the service is stopping.", True),
    504: ("The request's deadline passed before there was an answer.", False),
}
# How they are told: as problems, as /v2 tells all of them, or as the typed endpoint does (in the same form).
_KINDS = {
    "Problem": tuple(REFUSALS),
    "Error": tuple(status for status in REFUSALS if status != 422),
    "Typed": (400, 404, 422, 429, 500, 503, 504),
}
TYPED_REFUSALS = _KINDS["Typed"]
_EVERY = tuple(_KINDS)


class _Met(NamedTuple):
    """An error that a caller may meet; `address` is where, and `kinds` are those that tell it with its status."""

    name: str
    error: Exception
    address: str
    kinds: tuple[str, ...] = _EVERY


def refusals(task: str) -> Schema:
    """Responses by the names that `refusal_ref` gives them; the examples name `task`."""
    met = _met(task)
    return {
        f"{kind}{status}": _refusal(status, kind, [one for one in met.get(status, ()) if kind in one.kinds])
        for kind, statuses in _KINDS.items()
        for status in statuses
    }


def refusal_ref(kind: str, status: int) -> Schema:
    """A reference to one of `refusals`; `kind` is Problem, Error or Typed."""
    return {"$ref": f"#/components/responses/{kind}{status}"}


def _refusal(status: int, kind: str, met: list[_Met]) -> Schema:
    description, comes_back = REFUSALS[status]
    media, schema = (PROBLEM, "Problem") if kind == "Problem" else (JSON, "ProtocolError")
    content: Schema = {"schema": ref(schema)}
    if met:
        content["examples"] = {one.name: {"value": _told(one, kind)} for one in met}
    found: Schema = {"description": description, "content": {media: content}}
    if status == 405:
        found["headers"] = {"Allow": {"schema": {"type": "string"}, "required": True}}
    if comes_back:
        found["headers"] = {"Retry-After": {"schema": {"type": "integer", "minimum": 0}, "description": "seconds"}}
    return found


def _told(met: _Met, kind: str) -> object:
    return orjson.loads(problem_of(met.error, met.address).body) if kind == "Problem" else {"error": line_of(met.error)}


def _met(task: str) -> dict[int, list[_Met]]:
    predict, feedback = f"/v1/models/{task}:predict", f"/v1/models/{task}:feedback"
    blank = RequestInvalidError([Violation("#/instances/0", "Expected a text; it is empty or only white space.")])
    number = RequestInvalidError([Violation("#/instances/0", "Expected a text, found a number.")])
    tensors = RequestInvalidError([Violation("#/inputs", "Expected a list of tensors; the field is missing.")])
    malformed = BodyMalformedError("found: unexpected end of data: line 1 column 15 (char 14)")
    header = HeaderInvalidError("X-Request-Timeout-Ms", "a whole number of milliseconds from 1 on", "soon")
    return {
        400: [
            _Met("malformed JSON", malformed, predict),
            _Met("invalid header", header, predict),
            _Met("invalid request", tensors, "", ("Error",)),
            _Met("no text", number, "", ("Typed",)),
        ],
        401: [_Met("no key", UnauthorizedError(given=False), predict)],
        404: [
            _Met("unknown task", TaskUnknownError("nobody", [task]), "/v1/models/nobody:predict"),
            _Met(
                "version not served",
                VersionNotServedError(task, "0009", ["0001 (stable)"]),
                predict,
                ("Problem", "Error"),
            ),
            _Met("unknown prediction", PredictionUnknownError(task, [(0, "0" * 26)]), feedback, ("Problem",)),
            _Met("metrics elsewhere", MetricsElsewhereError(9090), "/metrics", ("Problem",)),
        ],
        405: [
            _Met("where texts are sent", MethodNotAllowedError("PUT", ["POST"]), predict),
            _Met("where things are read", MethodNotAllowedError("PUT", ["GET", "HEAD"]), "/v1/models"),
        ],
        408: [_Met("too slow", BodyTooSlowError(BODY_SECONDS), predict)],
        413: [_Met("too large", BodyTooLargeError(ServiceSettings.max_body_bytes), predict)],
        415: [_Met("another type", MediaTypeError("Content-Type", "'text/plain'"), predict)],
        422: [
            _Met("invalid request", blank, predict),
            _Met(
                "unsupported kind",
                KindUnsupportedError("search", "similarity", "feedback is"),
                "/v1/models/search:feedback",
                ("Problem",),
            ),
            _Met("unsupported kind", KindUnsupportedError("search", "similarity", "this endpoint is"), "", ("Typed",)),
        ],
        429: [_Met("rate limited", RateLimitedError("shop", 100, 2), predict)],
        500: [_Met("internal error", ModelOutputError(), predict, ("Problem", "Error"))],
        503: [
            _Met(
                "task not served",
                TaskNotServedError(task, "its release is being loaded. Try again in a moment."),
                predict,
            ),
            _Met("queue full", QueueFullError(f"Task {task}", ServiceSettings.queue_tokens, "tokens", 2), predict),
            _Met("wait too long", WaitTooLongError(task, 1.25, 0.2, 2), predict),
            _Met("stopping", StoppingError(), predict),
            _Met(
                "not ready",
                NotReadyError(["The service is starting: releases are being loaded."]),
                "/readyz",
                ("Problem", "Error"),
            ),
        ],
        504: [
            _Met("deadline exceeded", DeadlineError(), predict),
            _Met("feedback that may be recorded", FeedbackLateError(), feedback, ("Problem",)),
        ],
    }
