"""The controller over HTTP: alerts in, decisions out."""

from __future__ import annotations

import asyncio
import logging
import re
from collections.abc import Callable, Mapping

from pydantic import ValidationError
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from contracts.alert import DRIFT_ALERT, AlertMessage
from contracts.errors import PerennialError
from contracts.home import Home
from contracts.problems import describe_problems
from contracts.schema import TASK_NAME
from controller.alerts import Answer, answer_alert
from controller.gauges import ControllerMetrics
from controller.policy import alert_start
from controller.record import read_decisions

MAX_BODY = 1 << 20
MAX_DECISIONS = 1000

logger = logging.getLogger(__name__)


def build_app(
    home: Home,
    metrics: ControllerMetrics,
    *,
    now: Callable[[], float],
    wake: Callable[[], None],
    trouble: Callable[[], str],
) -> Starlette:
    """The ASGI app. `wake` is called after a retraining was decided; `trouble` says why the controller is not ready,
    or nothing."""

    async def alerts(request: Request) -> Response:
        message = _parse(await _body(request))
        answers = []
        for alert in message.alerts:
            metrics.count_alert(alert.status)
            answer = await asyncio.to_thread(answer_alert, home, alert, now())
            _tell(answer, metrics)
            answers.append(answer)
            if answer.decision.action == "retrain":
                wake()
        return JSONResponse({"decisions": [_shown(answer) for answer in answers]}, status_code=202)

    async def decisions(request: Request) -> Response:
        task = request.query_params.get("task")
        if task is not None and not re.fullmatch(TASK_NAME, task):
            raise HTTPException(400, "Parameter `task`: expected a task's name, such as support.")
        limit = request.query_params.get("limit", "100")
        if not re.fullmatch(r"[0-9]{1,4}", limit) or not 1 <= int(limit) <= MAX_DECISIONS:
            raise HTTPException(400, f"Parameter `limit`: expected a whole number from 1 to {MAX_DECISIONS}.")
        found = await asyncio.to_thread(read_decisions, home, task)
        return JSONResponse({"decisions": [decision.model_dump(mode="json") for decision in found[-int(limit) :]]})

    async def live(_request: Request) -> Response:
        return JSONResponse({"status": "ok"})

    async def ready(_request: Request) -> Response:
        problem = trouble()
        return _problem(503, problem) if problem else JSONResponse({"status": "ok"})

    async def exposition(_request: Request) -> Response:
        return Response(metrics.expose(), media_type="text/plain; version=0.0.4; charset=utf-8")

    return Starlette(
        routes=[
            Route("/alerts", alerts, methods=["POST"]),
            Route("/v1/decisions", decisions),
            Route("/livez", live),
            Route("/readyz", ready),
            Route("/metrics", exposition),
        ],
        exception_handlers={
            HTTPException: _on_http_error,
            PerennialError: _on_trouble,
            OSError: _on_trouble,
        },
    )


async def _body(request: Request) -> bytes:
    parts = []
    size = 0
    try:
        async for part in request.stream():
            size += len(part)
            if size > MAX_BODY:
                raise HTTPException(413, f"The message is larger than {MAX_BODY} bytes.")
            parts.append(part)
    except ClientDisconnect as error:
        raise HTTPException(400, "The message ended early.") from error
    return b"".join(parts)


def _parse(body: bytes) -> AlertMessage:
    """The message; an HTTPException with 400 where it is no JSON, 422 where it is not Alertmanager's version 4."""
    try:
        message = AlertMessage.model_validate_json(body)
    except ValidationError as error:
        status = 400 if any(problem["type"] == "json_invalid" for problem in error.errors()) else 422
        raise HTTPException(status, describe_problems(error)[:2000]) from error
    for number, alert in enumerate(message.alerts):
        if alert.labels.get("alertname") != DRIFT_ALERT:
            continue
        try:
            alert_start(alert)
        except ValueError as error:
            raise HTTPException(
                422, f"alerts.{number}.startsAt: expected an RFC 3339 time, found {alert.starts_at[:60]!r} ({error})."
            ) from error
    return message


def _tell(answer: Answer, metrics: ControllerMetrics) -> None:
    if answer.recorded:
        metrics.count_decision(answer.task, answer.decision.action)
        logger.info("Task %s: %s (%s). %s", answer.task, *_words(answer))


def _words(answer: Answer) -> tuple[str, str, str]:
    return answer.decision.action, answer.decision.kind, answer.decision.reason


def _shown(answer: Answer) -> dict[str, object]:
    action, kind, reason = _words(answer)
    return {
        "task": answer.task,
        "action": action,
        "kind": kind,
        "reason": reason,
        "request_id": answer.decision.request_id,
    }


async def _on_http_error(_request: Request, error: Exception) -> Response:
    status, detail = (error.status_code, error.detail) if isinstance(error, HTTPException) else (500, str(error))
    return _problem(status, detail, error.headers if isinstance(error, HTTPException) else None)


async def _on_trouble(request: Request, error: Exception) -> Response:
    """Nothing was decided: a 503 makes Alertmanager and the monitor send the alert again."""
    logger.warning("%s %s: %s", request.method, request.url.path, error)
    return _problem(503, str(error), {"Retry-After": "5"})


_TITLES = {
    400: "Bad request",
    404: "Not found",
    405: "Method not allowed",
    413: "Too large",
    422: "Not an alert message",
    503: "Not ready",
}


def _problem(status: int, detail: str, headers: Mapping[str, str] | None = None) -> Response:
    """RFC 9457."""
    body = {"type": "about:blank", "title": _TITLES.get(status, "Error"), "status": status, "detail": detail}
    return JSONResponse(body, status_code=status, headers=headers, media_type="application/problem+json")
