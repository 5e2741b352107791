"""What BentoML's app answers, behind ours: callers are held to the same keys and bounds, and told in the same way."""

from __future__ import annotations

import asyncio
import time

import orjson

from service.errors import (
    BodyMalformedError,
    BodyTooLargeError,
    BodyTooSlowError,
    HungUpError,
    MediaTypeError,
    MethodNotAllowedError,
    RequestInvalidError,
    RouteUnknownError,
    StoppingError,
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
from service.http.call import HUNG_UP, JSON, Call, admit, instance_of
from service.http.problems import Problem, line_of, problem_of
from service.http.typed_call import TYPED, TypedCall
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
        await send_answer(counted, 400, orjson.dumps({"error": line_of(error)}), JSON, ())
        return
    except DisconnectedError:
        serving.metrics.answered(_LABELS, HUNG_UP, time.monotonic() - started)
        return
    except (BodyTooLargeError, BodyTooSlowError, MediaTypeError, UnauthorizedError) as error:
        problem = problem_of(error, instance_of(scope))
        await send_answer(counted, problem.status, problem.body, problem.content_type, problem.headers)
        return
    typed = TypedCall(Call(serving, "", body, started, scope["headers"], receive))
    TYPED.set(typed)
    retold = _Retold(scope, typed, counted)
    try:
        await app(scope, replayed(body, receive), retold)
    except asyncio.CancelledError:
        # Only a stop does that, when its bound is over.
        if retold.begun:
            raise
        await retold.replace(_refusal(StoppingError()))


class _Retold:
    """Passes BentoML's answers on, but tells in our way what is refused."""

    def __init__(self, scope: Scope, typed: TypedCall, send: Send) -> None:
        self.begun = False
        self._scope = scope
        self._typed = typed
        self._send = send
        self._replaced = False

    async def __call__(self, message: Message) -> None:
        if self._replaced:
            return
        if message["type"] == "http.response.start":
            problem = self._in_its_place(message)
            if problem is not None:
                await self.replace(problem)
                return
            message["headers"] = [*message["headers"], (b"content-security-policy", _NO_STRANGERS)]
            if message["status"] in (429, 503):
                # BentoML's own errors carry no such header; soon is all that can be said.
                message["headers"].append((b"retry-after", b"1"))
        self.begun = True
        await self._send(message)

    async def replace(self, problem: Problem) -> None:
        """Answer this, and nothing that comes afterwards."""
        self.begun = self._replaced = True
        await send_answer(self._send, problem.status, problem.body, problem.content_type, problem.headers)

    def _in_its_place(self, start: Message) -> Problem | None:
        """Refusals of the typed endpoint in their own words; a 404 or 405 of BentoML's router as all others are."""
        if isinstance(self._typed.refused, HungUpError):
            # Nobody reads it, but under `bentoml serve` a timer around us runs until an answer, as does a stop.
            return Problem(HUNG_UP, b"")
        if self._typed.refused is not None:
            return _refusal(self._typed.refused)
        if start["status"] == 404:
            return problem_of(RouteUnknownError(self._scope["path"]), instance_of(self._scope))
        if start["status"] == 405:
            allowed = next((value.decode() for name, value in start["headers"] if name == b"allow"), "")
            error = MethodNotAllowedError(self._scope["method"], [part.strip() for part in allowed.split(",")])
            return problem_of(error, instance_of(self._scope))
        return None


def _refusal(error: Exception) -> Problem:
    """In BentoML's form, which is what its clients read."""
    problem = problem_of(error, "")
    return Problem(problem.status, orjson.dumps({"error": line_of(error)}), problem.headers, JSON)
