"""The BentoML service `Perennial`: what `bentoml serve` and `bentoml build` find.

All routes of `/v1` are answered by the same lean app as under `perennial serve`; it stands in front of BentoML's
own router, which keeps the typed endpoint below, its clients, and the documentation at `/`.
"""

from __future__ import annotations

import asyncio
import logging
import os
from collections.abc import Callable
from functools import cache
from http import HTTPStatus
from typing import Any

import bentoml
from _bentoml_sdk.service import Service
from _bentoml_sdk.service import service as bentoml_service
from bentoml.exceptions import BentoMLException
from pydantic import BaseModel, Field, ValidationError

from service.errors import HungUpError
from service.http.api import Api
from service.http.bodies import typed_request
from service.http.problems import TABLE, status_of
from service.http.typed_call import TYPED
from service.metrics import ServiceMetrics
from service.metrics_server import start_metrics_server
from service.serving import Serving
from service.settings import ServiceSettings

# BentoML logs a traceback for every request that it refuses.
_BENTOML_ERRORS = "bentoml._internal.server.http_app"
_LOOK_SECONDS = 0.02
# Any other error is a defect of ours, which BentoML logs, and tells nothing of.
_REFUSALS: tuple[type[Exception], ...] = (HungUpError, *TABLE)


class Predicted(BaseModel):
    """One answer."""

    id: str = Field(description="names this prediction when its true label is sent")
    label: str
    score: float = Field(ge=0, le=1, description="calibrated probability of the label")
    truncated: bool = Field(False, description="only the text's beginning was read")


class Predictions(BaseModel):
    """Answers in the order of the instances."""

    predictions: list[Predicted]
    model_version: str


class RefusedError(BentoMLException):
    """One of our errors in BentoML's terms; what the caller is told of it is ours to say (see `passed_on.py`)."""

    def __init__(self, error: Exception) -> None:
        super().__init__(str(error))
        self.error_code = HTTPStatus(status_of(error))


def build_service(serving: Callable[[], Serving], is_leaving: Callable[[], bool] = lambda: False) -> Service[Any]:
    """The BentoML service over one Serving, which is asked for when the server starts, and the same each time.

    Of several workers each is ready before it accepts, or `is_leaving`: the others answer meanwhile.
    """

    class Perennial:
        """Predictions of every task in PERENNIAL_HOME. The routes are under /v1; see the README."""

        @bentoml.on_startup
        async def start(self) -> None:
            logging.getLogger(_BENTOML_ERRORS).addFilter(_is_unexpected)
            serving().start()
            while serving().settings.workers > 1 and not (serving().releases.looked or is_leaving()):
                await asyncio.sleep(_LOOK_SECONDS)

        @bentoml.on_shutdown
        async def stop(self) -> None:
            await serving().stop()

        @bentoml.api(route="/predict")
        async def predict(self, task: str, instances: list[str]) -> Predictions:
            """Labels of texts, through BentoML's typed clients; POST /v1/models/{task}:predict without its options."""
            typed = TYPED.get()
            call = typed.call
            try:
                release = serving().releases.serving(task)
                release.check_one_label("this endpoint is")
                request = typed_request(instances, release.manifest.spec.limits)
                predicted = await serving().predict(
                    task, request, call.started, deadline=call.deadline(), hung_up=call.receive
                )
            except _REFUSALS as error:
                typed.refused = error
                raise RefusedError(error) from error
            answers = [
                Predicted(id=one.id, label=one.label, score=one.score, truncated=one.truncated)
                for one in predicted.answers
            ]
            return Predictions(predictions=answers, model_version=predicted.release.version)

    # This is `bentoml.service`; under that name a type checker finds a module.
    built: Service[Any] = bentoml_service(
        name="perennial",
        description="Small language models that stay fresh: predictions and feedback.",
        metrics={"enabled": False},
        traffic={"timeout": 60},
        workers=1,
    )(Perennial)
    return built


def _is_unexpected(record: logging.LogRecord) -> bool:
    error = record.exc_info[1] if record.exc_info else None
    return not isinstance(error, RefusedError | ValidationError)


@cache
def serving_from_environment() -> Serving:
    """What plain `bentoml serve` serves: settings come from the environment alone."""
    settings = ServiceSettings.from_environment(os.environ)
    serving = Serving(settings, ServiceMetrics())
    if settings.metrics_port:
        start_metrics_server(settings.host, settings.metrics_port, serving.metrics.render)
    return serving


Perennial = build_service(serving_from_environment)
# BentoML's type asks for an instance where it takes a class.
_in_front: Any = Api
Perennial.add_asgi_middleware(_in_front, serving=serving_from_environment)
