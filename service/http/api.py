"""Perennial's own routes as one lean ASGI app; everything else is passed on to BentoML's app behind it."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable
from functools import lru_cache, partial

import orjson

from service import metrics
from service.errors import (
    HungUpError,
    MethodNotAllowedError,
    MetricsElsewhereError,
    RouteUnknownError,
    StoppingError,
)
from service.http.asgi import (
    AsgiApp,
    DisconnectedError,
    Receive,
    Scope,
    Send,
    answer_headers,
    check_json,
    check_tensors,
    read_body,
    send_answer,
)
from service.http.bodies import feedback_items, predict_request
from service.http.call import HUNG_UP, TEXT, Answer, Call, Route, admit, instance_of
from service.http.docs_routes import DOCS_ROUTES
from service.http.embeddings_route import EMBEDDINGS_ROUTES
from service.http.open_inference_routes import PREFIX as PROTOCOL
from service.http.open_inference_routes import find_protocol_route, protocol_problem_of
from service.http.passed_on import pass_on
from service.http.problems import problem_of
from service.http.shown_models import shown, shown_fully
from service.serving import Answered, Serving
from service.tracing import TRACE, route_template

logger = logging.getLogger(__name__)


async def predict(call: Call) -> Answer:
    """POST /v1/models/{task}:predict. One release answers all instances of a request."""
    state = call.serving.releases.state(call.task)
    release = state.route(None, None).release
    # Of all loaded releases: which of them answers is known once the request is read.
    labels = len(state.labels) if release.head.ranked is not None else 0
    request = predict_request(call.body, release.manifest.spec.limits, labels, asks=release.head.asks)
    predicted = await call.serving.predict(
        call.task, request, call.started, deadline=call.deadline(), hung_up=call.receive
    )
    predictions = [_prediction(one) for one in predicted.answers]
    told = {"predictions": predictions, "model_version": predicted.release.version}
    return Answer(200, orjson.dumps(told, option=orjson.OPT_SERIALIZE_NUMPY))


def _prediction(one: Answered) -> dict[str, object]:
    shown: dict[str, object] = {"id": one.id}
    shown |= {"label": one.label, "score": one.score} if one.fields is None else one.fields
    if one.scores is not None:
        shown["scores"] = [{"label": label, "score": round(score, 6)} for label, score in one.scores]
    if one.truncated:
        shown["truncated"] = True
    return shown


async def feedback(call: Call) -> Answer:
    """POST /v1/models/{task}:feedback. 202 once every label is on disk, else none is acknowledged."""
    call.serving.releases.serving(call.task).check_one_label("feedback is")
    labels = call.serving.releases.labels(call.task)
    items = feedback_items(call.body, labels)
    unverified = await call.serving.feedback(call.task, items, deadline=call.deadline())
    shown = {"accepted": len(items)}
    if unverified:
        shown["unverified"] = unverified
    return Answer(202, orjson.dumps(shown))


async def list_models(call: Call) -> Answer:
    """GET /v1/models."""
    models = [shown(state) for state in call.serving.releases.states()]
    return Answer(200, orjson.dumps({"models": models}))


async def show_model(call: Call) -> Answer:
    """GET /v1/models/{task}."""
    state = call.serving.releases.state(call.task)
    return Answer(200, orjson.dumps(shown_fully(state, call.serving.log.problem(call.task))))


async def livez(_call: Call) -> Answer:
    """GET /livez: the event loop turns, whatever else is wrong."""
    return Answer(200, b"ok\n", TEXT)


async def readyz(call: Call) -> Answer:
    """GET /readyz: all that should answer does."""
    call.serving.releases.check_ready()
    return Answer(200, b"ready\n", TEXT)


async def show_metrics(call: Call) -> Answer:
    """GET /metrics."""
    if call.serving.settings.metrics_port:
        raise MetricsElsewhereError(call.serving.settings.metrics_port)
    return Answer(200, call.serving.metrics.render(), metrics.CONTENT_TYPE.encode())


_LIST = Route("models", "GET", list_models)
_SHOW = Route("model", "GET", show_model)
_VERBS = {"predict": Route("predict", "POST", predict), "feedback": Route("feedback", "POST", feedback)}
_PLAIN = {
    "/v1/models": _LIST,
    "/livez": Route("livez", "GET", livez),
    "/readyz": Route("readyz", "GET", readyz),
    "/metrics": Route("metrics", "GET", show_metrics),
    **DOCS_ROUTES,
    **EMBEDDINGS_ROUTES,
}
_MODEL_PREFIX = "/v1/models/"


@lru_cache(64)  # few, since callers may make up any
def find_route(path: str) -> tuple[Route | None, str]:
    """The route of one of our own paths, and the task that it names ("" for none)."""
    plain = _PLAIN.get(path)
    if plain is not None:
        return plain, ""
    if path.startswith(PROTOCOL):
        return find_protocol_route(path)
    if not path.startswith(_MODEL_PREFIX):
        return None, ""
    task, colon, verb = path[len(_MODEL_PREFIX) :].partition(":")
    if not task or "/" in task:
        return None, ""
    return (_VERBS.get(verb) if colon else _SHOW), task


class Api:
    """Answers /v1, /v2, /livez, /readyz, /metrics and the documentation; `app` answers the rest.

    `serving` is asked at each request and gives the same Serving each time: under `bentoml serve` this is made
    before the event loop is there.
    """

    def __init__(self, app: AsgiApp, serving: Callable[[], Serving]) -> None:
        self._behind = app
        self._serving = serving

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """ASGI 3."""
        if scope["type"] != "http":
            await self._behind(scope, receive, send)
            return
        is_own = scope["path"].startswith(("/v1", PROTOCOL)) or scope["path"] in _PLAIN
        answer = self._answer if is_own else partial(pass_on, self._behind, self._serving())
        tracing = self._serving().tracing
        if tracing is None:
            await answer(scope, receive, send)
        else:
            await tracing.answer(answer, scope, receive, send)

    async def _answer(self, scope: Scope, receive: Receive, send: Send) -> None:
        started = time.monotonic()
        serving = self._serving()
        route, task = find_route(scope["path"])
        if serving.tracing is not None and (trace := TRACE.get()) is not None:
            trace.route = route_template(scope["path"], task) if route else ""
        # A name made up by a caller is no label of a metric: each would be a new time series for ever.
        labels = (task if serving.releases.knows(task) else "", route.name if route else "")
        try:
            answer = await _handled(serving, route, task, scope, receive, started)
            if answer.task:
                labels = (answer.task, labels[1])
        except (DisconnectedError, HungUpError):
            serving.metrics.answered(labels, HUNG_UP, time.monotonic() - started)
            return
        except asyncio.CancelledError:
            # Only a stop does that, when its bound is over; without an answer of ours it would be a bare 500.
            answer = _told(StoppingError(), scope)
        except Exception as error:
            answer = _told(error, scope)
            if answer.status == 500:
                logger.exception("%s %s failed unexpectedly.", scope["method"], instance_of(scope))
        serving.metrics.answered(labels, answer.status, time.monotonic() - started)
        # Traces take the status from what is sent.
        at_once = scope.get("extensions", {}).get("perennial.answer") if serving.tracing is None else None
        if at_once is None:
            await send_answer(send, answer.status, answer.body, answer.content_type, answer.headers)
        else:
            at_once(answer.status, answer_headers(answer.body, answer.content_type, answer.headers), answer.body)


async def _handled(
    serving: Serving, route: Route | None, task: str, scope: Scope, receive: Receive, started: float
) -> Answer:
    admit(serving, scope)
    if route is None:
        raise RouteUnknownError(scope["path"])
    method = scope["method"]
    if method != route.method and not (method == "HEAD" and route.method == "GET"):
        raise MethodNotAllowedError(method, (route.method,) if route.method == "POST" else ("GET", "HEAD"))
    body = b""
    if route.method == "POST":
        (check_tensors if route.tensors else check_json)(scope["headers"])
        body = await read_body(scope, receive, serving.settings.max_body_bytes)
    return await route.handle(Call(serving, task, body, started, scope["headers"], receive))


def _told(error: Exception, scope: Scope) -> Answer:
    tell = protocol_problem_of if scope["path"].startswith(PROTOCOL) else problem_of
    problem = tell(error, instance_of(scope))
    return Answer(problem.status, problem.body, problem.content_type, tuple(problem.headers))
