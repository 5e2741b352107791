"""Routes of the Open Inference Protocol v2: addresses under /v2 to handlers."""

from __future__ import annotations

import math
from functools import partial

import orjson

from service import __version__
from service.engine.model import LoadedRelease
from service.errors import RequestInvalidError
from service.http.call import Answer, Call, Route
from service.http.open_inference import HEADER_LENGTH, infer_request
from service.http.open_inference_answers import (
    Place,
    error_body,
    find_address,
    infer_reply,
    model_metadata,
    server_metadata,
)
from service.http.open_inference_kinds import Tensors, tensors_of
from service.http.problems import Problem, line_of, problem_of

PREFIX = "/v2"


async def server(_call: Call) -> Answer:
    """GET /v2."""
    return Answer(200, orjson.dumps(server_metadata(__version__)))


async def live(_call: Call) -> Answer:
    """GET /v2/health/live."""
    return Answer(200, orjson.dumps({"live": True}))


async def ready(call: Call) -> Answer:
    """GET /v2/health/ready. Refused as /readyz is."""
    call.serving.releases.check_ready()
    return Answer(200, orjson.dumps({"ready": True}))


async def model(call: Call, version: str | None) -> Answer:
    """GET /v2/models/{task}, also of one version."""
    release = call.serving.releases.route(call.task, None, version).release
    served = dict.fromkeys(place.release.version for place in call.serving.releases.state(call.task).places)
    versions = [version] if version else sorted(served)
    return Answer(200, orjson.dumps(model_metadata(call.task, versions, _tensors(release), release.hidden)))


async def model_ready(call: Call, version: str | None) -> Answer:
    """GET /v2/models/{task}/ready, also of one version."""
    call.serving.releases.route(call.task, None, version)
    return Answer(200, orjson.dumps({"name": call.task, "ready": True}))


async def infer(call: Call, version: str | None) -> Answer:
    """POST /v2/models/{task}/infer, also of one version."""
    release = call.serving.releases.route(call.task, None, version).release
    tensors = _tensors(release)
    labels = len(release.labels) if release.head.ranked is not None else 0
    length = next((value.decode("latin-1") for name, value in call.headers if name == HEADER_LENGTH.encode()), None)
    request = infer_request(call.body, length, release.manifest.spec.limits, labels, version, tensors)
    patience = math.inf if request.timeout is None else call.started + request.timeout
    predicted = await call.serving.predict(
        call.task, request.predict, call.started, deadline=min(call.deadline(), patience), hung_up=call.receive
    )
    reply = infer_reply(call.task, predicted.release.version, request, predicted.answers, tensors)
    return Answer(200, reply.body, reply.content_type, reply.headers)


def _tensors(release: LoadedRelease) -> Tensors:
    return tensors_of(release.manifest.kind, several_labels=release.manifest.thresholds is not None)


_PLAIN: dict[Place, Route] = {
    "server": Route("v2", "GET", server),
    "live": Route("v2_live", "GET", live),
    "ready": Route("v2_ready", "GET", ready),
}


def find_protocol_route(path: str) -> tuple[Route | None, str]:
    """The route of a path under /v2, and the task that it names ("" for none)."""
    address = find_address(path)
    if address is None:
        return None, ""
    if address.place == "infer":
        return Route("infer", "POST", partial(infer, version=address.version), tensors=True), address.model
    if address.place == "model":
        return Route("v2_model", "GET", partial(model, version=address.version)), address.model
    if address.place == "model_ready":
        return Route("v2_model_ready", "GET", partial(model_ready, version=address.version)), address.model
    return _PLAIN[address.place], ""


def protocol_problem_of(error: Exception, instance: str) -> Problem:
    """The same as `problem_of`, told in the protocol's form; what is wrong with a request is always 400 there."""
    problem = problem_of(error, instance)
    status = 400 if isinstance(error, RequestInvalidError) else problem.status
    return Problem(status, error_body(line_of(error)), problem.headers, b"application/json")
