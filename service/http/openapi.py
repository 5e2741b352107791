"""The OpenAPI 3.1 document of every route, whoever answers it; pure."""

from __future__ import annotations

from collections.abc import Sequence

from contracts.schema import TASK_NAME, VERSION
from service.access import OPEN_PATHS
from service.http.json_schema import Schema, ref
from service.http.openapi_kind_schemas import KIND_SCHEMAS, QUESTION_EXAMPLES
from service.http.openapi_parts import answer_of, body_of, operation, path_parameter
from service.http.openapi_refusals import JSON, TYPED_REFUSALS, refusal_ref, refusals
from service.http.openapi_v1_schemas import PREDICT_EXAMPLES, V1_SCHEMAS
from service.http.openapi_v2_schemas import V2_SCHEMAS
from service.requests import VERSION_CHARS

_BINARY = "application/octet-stream"

_READING = (405, 429, 500)
_MODEL_READING = (404, 405, 429, 500, 503)
_POSTING = (400, 404, 405, 408, 413, 415, 422, 429, 500, 503, 504)
_PROTOCOL_POSTING = tuple(status for status in _POSTING if status != 422)


def openapi_document(tasks: Sequence[str], version: str) -> Schema:
    """The document; `tasks` become the examples of the parameter that names one, `version` is the program's.

    Other examples name the first of them.
    """
    named = tasks or ["support"]
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Perennial",
            "version": version,
            "summary": "Small language models that stay fresh: predictions and feedback.",
            "description": "What a task accepts at the most (texts a request, characters a text) is a limit of its "
            "own: see `GET /v1/models/{task}`. Errors of /v1 are problem details (RFC 9457); those of /v2 have the "
            "form of the Open Inference Protocol; the typed endpoint's are those that BentoML's clients read.",
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
        "paths": {**_v1_paths(), **_v2_paths(), **_operations_paths(), **_typed_paths(named[0])},
        "components": {
            "securitySchemes": {
                "bearer": {"type": "http", "scheme": "bearer"},
                "header": {"type": "apiKey", "in": "header", "name": "X-Api-Key"},
            },
            "parameters": {
                "Task": path_parameter("task", TASK_NAME, 48, named),
                "Version": path_parameter("version", VERSION, VERSION_CHARS, ["0001"]),
                "Timeout": {
                    "name": "X-Request-Timeout-Ms",
                    "in": "header",
                    "schema": {"type": "integer", "minimum": 1, "maximum": 10**9},
                    "description": "Milliseconds after which no answer is wanted any more: then it is 504.",
                },
            },
            "responses": refusals(named[0]),
            "schemas": {**V1_SCHEMAS, **KIND_SCHEMAS, **V2_SCHEMAS},
        },
    }


def _v1_paths() -> Schema:
    task = [{"$ref": "#/components/parameters/Task"}]
    patience = [{"$ref": "#/components/parameters/Timeout"}]
    return {
        "/v1/models": {
            "get": operation("listModels", "predictions", "Tasks and what serves them", answer_of("Models"), _READING)
        },
        "/v1/models/{task}": {
            "parameters": task,
            "get": operation(
                "showModel",
                "predictions",
                "One task: its release, labels, limits and figures",
                answer_of("ModelDetail"),
                _MODEL_READING,
            ),
        },
        "/v1/models/{task}:predict": {
            "parameters": task,
            "post": operation(
                "predict",
                "predictions",
                "Labels, entities, answers or vectors, as the task's kind is; one release answers a whole request",
                answer_of("Predictions"),
                _POSTING,
                body=body_of("AnyPredictRequest", PREDICT_EXAMPLES | QUESTION_EXAMPLES),
            )
            | {"parameters": patience},
        },
        "/v1/models/{task}:feedback": {
            "parameters": task,
            "post": operation(
                "feedback",
                "predictions",
                "True labels of predictions that were answered; on disk before this answers",
                answer_of("FeedbackAccepted", status=202),
                _POSTING,
                body=body_of("Feedback"),
            )
            | {"parameters": patience},
        },
        "/v1/embeddings": {
            "post": operation(
                "embeddings",
                "predictions",
                "Vectors of texts in OpenAI's form; `model` is a task of kind similarity",
                answer_of("Embeddings"),
                _POSTING,
                body=body_of("EmbeddingsRequest"),
            )
            | {"parameters": patience},
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
            "get": operation(name, tag, summary, answer_of(schema), statuses, protocol=True, is_open=path in OPEN_PATHS)
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
                "get": operation(name + versioned, tag, summary + of, answer_of(schema), _MODEL_READING, protocol=True),
            }
        paths[f"{prefix}/infer"] = {
            "parameters": parameters,
            "post": operation(
                f"infer{versioned}",
                tag,
                f"Labels, entities, answers or vectors{of}, as the task's kind is",
                {
                    "200": {
                        "description": "As octet-stream where a tensor is binary: JSON of the length that "
                        "`Inference-Header-Content-Length` says, then the bytes.",
                        "content": {
                            JSON: {"schema": ref("InferAnswer")},
                            _BINARY: {"schema": {"type": "string", "contentMediaType": _BINARY}},
                        },
                    }
                },
                _PROTOCOL_POSTING,
                body=body_of("InferRequest"),
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
        "/openapi.json": ("openapi", "This document", JSON, (405, 500)),
        "/docs.json": ("docsJson", "This document, where BentoML's clients look for it", JSON, (405, 500)),
        "/": ("index", "BentoML's page of this document", "text/html", (405, 500)),
        "/schema.json": ("schemaJson", "What BentoML's clients read of the typed endpoint", JSON, (405, 500)),
    }
    return {
        path: {
            "get": operation(
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


def _typed_paths(task: str) -> Schema:
    example = {"task": task, "instances": ["Where is my parcel?"]}
    return {
        "/predict": {
            "post": operation(
                "typedPredict",
                "typed client",
                "Labels of texts through BentoML's typed clients: /v1/models/{task}:predict without its options",
                {
                    **answer_of("Predictions"),
                    **{str(status): refusal_ref("Typed", status) for status in TYPED_REFUSALS},
                },
                (405, 408, 413, 415),
                body=body_of("TypedRequest", {"texts": example}),
            )
            | {"parameters": [{"$ref": "#/components/parameters/Timeout"}]},
        }
    }
