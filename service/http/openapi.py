"""The OpenAPI 3.1 document of every route, whoever answers it; pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from contracts.schema import TASK_NAME, VERSION
from service.access import OPEN_PATHS
from service.http.json_schema import Schema, ref
from service.http.openapi_v1_schemas import PREDICT_EXAMPLES, V1_SCHEMAS
from service.http.openapi_v2_schemas import V2_SCHEMAS
from service.http.problems import TABLE, TYPE_PREFIX
from service.requests import VERSION_CHARS

_JSON = "application/json"
_PROBLEM = "application/problem+json"
_BINARY = "application/octet-stream"

# What each status means here, and whether it says when to come back.
_REFUSALS: dict[int, tuple[str, bool]] = {
    400: ("The body is not JSON.", False),
    401: ("An API key is expected, where the service has any.", False),
    404: ("There is no such task, release or prediction, or nothing at this address.", False),
    405: ("The address does not answer that method.", False),
    408: ("The body did not come in time.", False),
    413: ("The body is larger than the service's limit.", False),
    415: ("The body is of another type.", False),
    422: ("The body is not what this route expects; `errors` names each place.", False),
    429: ("The caller sends more than its rate limit.", True),
    500: ("The service failed; its log says why.", False),
    503: ("Not served yet, too much work waits, or the service is stopping.", True),
    504: ("The request's deadline passed before there was an answer.", False),
}
# Where errors share a status, the first of them stands for it.
_NAMES = {status: (name, title) for status, name, title in reversed(TABLE.values())}
_READING = (405, 429, 500)
_MODEL_READING = (404, 405, 429, 500, 503)
_POSTING = (400, 404, 405, 408, 413, 415, 422, 429, 500, 503, 504)
_PROTOCOL_POSTING = tuple(status for status in _POSTING if status != 422)


def openapi_document(tasks: Sequence[str], version: str) -> Schema:
    """The document; `tasks` become the examples of the parameter that names one, `version` is the program's."""
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Perennial",
            "version": version,
            "summary": "Small language models that stay fresh: predictions and feedback.",
            "description": "What a task accepts at the most (texts a request, characters a text) is a limit of its "
            "own: see `GET /v1/models/{task}`. Errors of /v1 are problem details (RFC 9457); those of /v2 have the "
            "form of the Open Inference Protocol.",
            "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
        },
        # The document's own address: another host would be wrong behind any proxy.
        "servers": [{"url": "./"}],
        "tags": [
            {"name": "predictions", "description": "Labels of texts, and what the labels should have been."},
            {"name": "open inference protocol", "description": "Version 2, for clients such as Triton's and KServe's."},
            {"name": "operations", "description": "Health, metrics, documentation."},
            {"name": "typed client", "description": "For `bentoml.SyncHTTPClient` and its kin."},
        ],
        # Keys are a setting: where there are none, none is asked for.
        "security": [{}, {"bearer": []}, {"header": []}],
        "paths": {**_v1_paths(), **_v2_paths(), **_operations_paths(), **_typed_paths()},
        "components": {
            "securitySchemes": {
                "bearer": {"type": "http", "scheme": "bearer"},
                "header": {"type": "apiKey", "in": "header", "name": "X-Api-Key"},
            },
            "parameters": {
                "Task": _path_parameter("task", TASK_NAME, 48, tasks or ["support"]),
                "Version": _path_parameter("version", VERSION, VERSION_CHARS, ["0001"]),
                "Timeout": {
                    "name": "X-Request-Timeout-Ms",
                    "in": "header",
                    "schema": {"type": "integer", "minimum": 1, "maximum": 10**9},
                    "description": "Milliseconds after which no answer is wanted any more: then it is 504.",
                },
            },
            "responses": {
                **{f"Problem{status}": _refusal(status, _PROBLEM, "Problem") for status in _REFUSALS},
                **{f"Error{status}": _refusal(status, _JSON, "ProtocolError") for status in _REFUSALS if status != 422},
            },
            "schemas": {**V1_SCHEMAS, **V2_SCHEMAS},
        },
    }


def _v1_paths() -> Schema:
    task = [{"$ref": "#/components/parameters/Task"}]
    patience = [{"$ref": "#/components/parameters/Timeout"}]
    return {
        "/v1/models": {
            "get": _operation("listModels", "predictions", "Tasks and what serves them", _answers("Models"), _READING)
        },
        "/v1/models/{task}": {
            "parameters": task,
            "get": _operation(
                "showModel",
                "predictions",
                "One task: its release, labels, limits and figures",
                _answers("ModelDetail"),
                _MODEL_READING,
            ),
        },
        "/v1/models/{task}:predict": {
            "parameters": task,
            "post": _operation(
                "predict",
                "predictions",
                "Labels of texts; one release answers all texts of a request",
                _answers("Predictions"),
                _POSTING,
                body=_body("PredictRequest", PREDICT_EXAMPLES),
            )
            | {"parameters": patience},
        },
        "/v1/models/{task}:feedback": {
            "parameters": task,
            "post": _operation(
                "feedback",
                "predictions",
                "True labels of predictions that were answered; on disk before this answers",
                _answers("FeedbackAccepted", status=202),
                _POSTING,
                body=_body("Feedback"),
            ),
        },
    }


def _v2_paths() -> Schema:
    tag = "open inference protocol"
    plain: dict[str, tuple[str, str, str, tuple[int, ...]]] = {
        "/v2": ("serverMetadata", "What this server is", "ServerMetadata", (405, 500)),
        "/v2/health/live": ("serverLive", "The server answers", "Live", (405, 500)),
        "/v2/health/ready": ("serverReady", "Every task that should be is served", "Ready", (405, 500, 503)),
    }
    paths: Schema = {
        path: {
            "get": _operation(name, tag, summary, _answers(schema), statuses, protocol=True, is_open=path in OPEN_PATHS)
        }
        for path, (name, summary, schema, statuses) in plain.items()
    }
    for prefix, versioned in (("/v2/models/{task}", ""), ("/v2/models/{task}/versions/{version}", "Version")):
        of = ", of one version" if versioned else ""
        names = ["Task", "Version"] if versioned else ["Task"]
        parameters = [{"$ref": f"#/components/parameters/{name}"} for name in names]
        for suffix, name, summary, schema in (
            ("", "modelMetadata", "The tensors that go in and come out", "ModelMetadata"),
            ("/ready", "modelReady", "The model is served", "ModelReady"),
        ):
            paths[prefix + suffix] = {
                "parameters": parameters,
                "get": _operation(name + versioned, tag, summary + of, _answers(schema), _MODEL_READING, protocol=True),
            }
        paths[f"{prefix}/infer"] = {
            "parameters": parameters,
            "post": _operation(
                f"infer{versioned}",
                tag,
                f"Labels of texts{of}",
                {
                    "200": {
                        "description": "As octet-stream where a tensor is binary: JSON of the length that "
                        "`Inference-Header-Content-Length` says, then the bytes.",
                        "content": {
                            _JSON: {"schema": ref("InferAnswer")},
                            _BINARY: {"schema": {"type": "string", "contentMediaType": _BINARY}},
                        },
                    }
                },
                _PROTOCOL_POSTING,
                body=_body("InferRequest"),
                protocol=True,
            )
            | {"parameters": [{"$ref": "#/components/parameters/Timeout"}]},
        }
    return paths


def _operations_paths() -> Schema:
    plain: dict[str, tuple[str, str, str, tuple[int, ...]]] = {
        "/livez": ("livez", "The process answers", "text/plain", (405, 500)),
        "/readyz": ("readyz", "Every task that should be is served", "text/plain", (405, 500, 503)),
        "/metrics": ("metrics", "For Prometheus; by setting on a port of its own", "text/plain", (404, 405, 500)),
        "/docs": ("docs", "This document, to read and to try", "text/html", (405, 500)),
        "/openapi.json": ("openapi", "This document", _JSON, (405, 500)),
        "/docs.json": ("docsJson", "This document, where BentoML's clients look for it", _JSON, (405, 500)),
        "/": ("index", "BentoML's page of this document", "text/html", (405, 500)),
        "/schema.json": ("schemaJson", "What BentoML's clients read of the typed endpoint", _JSON, (405, 500)),
    }
    return {
        path: {
            "get": _operation(
                name,
                "operations",
                summary,
                {"200": {"description": "As the summary says.", "content": {media: {}}}},
                statuses,
                is_open=path in OPEN_PATHS,
            )
        }
        for path, (name, summary, media, statuses) in plain.items()
    }


def _typed_paths() -> Schema:
    return {
        "/predict": {
            "post": _operation(
                "typedPredict",
                "typed client",
                "The same as /v1/models/{task}:predict, through BentoML's typed clients",
                {
                    **_answers("Predictions"),
                    "default": {"description": "Refused.", "content": {_JSON: {}, _PROBLEM: {}}},
                },
                (),
                body=_body("TypedRequest"),
            )
        }
    }


def _operation(
    name: str,
    tag: str,
    summary: str,
    answers: Schema,
    refusals: Sequence[int],
    *,
    body: Schema | None = None,
    protocol: bool = False,
    is_open: bool = False,
) -> Schema:
    kind = "Error" if protocol else "Problem"
    told = {*refusals} if is_open else {401, *refusals}
    found: Schema = {
        "operationId": name,
        "tags": [tag],
        "summary": summary,
        "responses": {
            **answers,
            **{str(status): {"$ref": f"#/components/responses/{kind}{status}"} for status in sorted(told)},
        },
    }
    if is_open:
        found["security"] = []
    return found if body is None else found | {"requestBody": body}


def _answers(schema: str, *, status: int = 200) -> Schema:
    return {str(status): {"description": "Answered.", "content": {_JSON: {"schema": ref(schema)}}}}


def _body(schema: str, examples: Mapping[str, object] | None = None) -> Schema:
    content: Schema = {"schema": ref(schema)}
    if examples:
        content["examples"] = {name: {"value": value} for name, value in examples.items()}
    return {"required": True, "content": {_JSON: content}}


def _refusal(status: int, media: str, schema: str) -> Schema:
    description, comes_back = _REFUSALS[status]
    name, title = _NAMES.get(status, ("internal-error", "The service failed"))
    example: Schema = {"error": description}
    if media == _PROBLEM:
        example = {
            "type": TYPE_PREFIX + name,
            "title": title,
            "status": status,
            "detail": description,
            "instance": "/v1/models/support:predict",
        }
    content: Schema = {"schema": ref(schema)} if status == 422 else {"schema": ref(schema), "example": example}
    found: Schema = {"description": description, "content": {media: content}}
    if status == 405:
        found["headers"] = {"Allow": {"schema": {"type": "string"}, "required": True}}
    if comes_back:
        found["headers"] = {"Retry-After": {"schema": {"type": "integer", "minimum": 0}, "description": "seconds"}}
    return found


def _path_parameter(name: str, pattern: str, most: int, examples: Sequence[str]) -> Schema:
    return {
        "name": name,
        "in": "path",
        "required": True,
        "schema": {"type": "string", "pattern": pattern, "maxLength": most},
        "examples": {example: {"value": example} for example in examples},
    }
