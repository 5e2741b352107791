"""What BentoML's app answers, behind ours: callers are held to the same keys and bounds, and told in the same way."""

from __future__ import annotations

import time

import orjson

from service.errors import (
    BodyMalformedError,
    BodyTooLargeError,
    BodyTooSlowError,
    MediaTypeError,
    MethodNotAllowedError,
    RequestInvalidError,
    RouteUnknownError,
    UnauthorizedError,
)
from service.http.asgi import (
    AsgiApp,
    DisconnectedError,
    Message,
    Receive,
    Scope,
    Send,
    check_json,
    read_body,
    replayed,
    send_answer,
)
from service.http.bodies import check_typed
from service.http.call import HUNG_UP, JSON, admit, instance_of
from service.http.problems import problem_of
from service.serving import Serving

# BentoML's page would load a tracker and badges from other hosts; whoever serves tickets wants neither.
_NO_STRANGERS = (
    b"default-src 'self'; script-src 'self' 'unsafe-inline'; style-src 'self' 'unsafe-inline'; img-src 'self' data:"
)
_TYPED = "/predict"
_LABELS = ("", "bentoml")  # in the metrics


async def pass_on(app: AsgiApp, serving: Serving, scope: Scope, receive: Receive, send: Send) -> None:
    """BentoML knows no keys, and reads bodies of any length and many types, so callers are held to ours here."""
    started = time.monotonic()

    async def counted(message: Message) -> None:
        if message["type"] == "http.response.start":
            serving.metrics.answered(_LABELS, message["status"], time.monotonic() - started)
        await send(message)

    try:
        admit(serving, scope)
        if scope["method"] == "POST":
            check_json(scope["headers"])
        body = await read_body(scope, receive, serving.settings.max_body_bytes)
        if scope["path"] == _TYPED and scope["method"] == "POST":
            check_typed(body)
    except (BodyMalformedError, RequestInvalidError) as error:
        # As BentoML tells it.
        await send_answer(counted, 400, orjson.dumps({"error": str(error)}), JSON, ())
        return
    except DisconnectedError:
        serving.metrics.answered(_LABELS, HUNG_UP, time.monotonic() - started)
        return
    except (BodyTooLargeError, BodyTooSlowError, MediaTypeError, UnauthorizedError) as error:
        problem = problem_of(error, instance_of(scope))
        await send_answer(counted, problem.status, problem.body, problem.content_type, problem.headers)
        return
    await app(scope, replayed(body, receive), _problem_for_a_miss(scope, counted))


def _problem_for_a_miss(scope: Scope, send: Send) -> Send:
    """Passes BentoML's answers on, but tells a 404 or 405 of its router the way all others are told."""
    replaced = False

    async def told(message: Message) -> None:
        nonlocal replaced
        if message["type"] == "http.response.start":
            message["headers"] = [*message["headers"], (b"content-security-policy", _NO_STRANGERS)]
            if message["status"] in (429, 503):
                # BentoML's errors carry no header of their own; soon is all that can be said.
                message["headers"].append((b"retry-after", b"1"))
        # What the typed endpoint has to say of a task is its own.
        missed = (405,) if scope["path"] == _TYPED else (404, 405)
        if message["type"] == "http.response.start" and message["status"] in missed:
            replaced = True
            error: Exception = RouteUnknownError(scope["path"])
            if message["status"] == 405:
                allowed = next((value.decode() for name, value in message["headers"] if name == b"allow"), "")
                error = MethodNotAllowedError(scope["method"], [part.strip() for part in allowed.split(",")])
            problem = problem_of(error, instance_of(scope))
            await send_answer(send, problem.status, problem.body, problem.content_type, problem.headers)
        elif not replaced:
            await send(message)

    return told
