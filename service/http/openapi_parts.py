"""What operations of the OpenAPI document are made of; pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from service.http.json_schema import Schema, ref
from service.http.problems import TABLE, TYPE_PREFIX

JSON = "application/json"
PROBLEM = "application/problem+json"

# What each status means here, and whether it says when to come back.
REFUSALS: dict[int, tuple[str, bool]] = {
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


def operation(
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


def answer_of(schema: str, *, status: int = 200) -> Schema:
    return {str(status): {"description": "Answered.", "content": {JSON: {"schema": ref(schema)}}}}


def body_of(schema: str, examples: Mapping[str, object] | None = None) -> Schema:
    content: Schema = {"schema": ref(schema)}
    if examples:
        content["examples"] = {name: {"value": value} for name, value in examples.items()}
    return {"required": True, "content": {JSON: content}}


def refusal(status: int, media: str, schema: str) -> Schema:
    description, comes_back = REFUSALS[status]
    name, title = _NAMES.get(status, ("internal-error", "The service failed"))
    example: Schema = {"error": description}
    if media == PROBLEM:
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


def path_parameter(name: str, pattern: str, most: int, examples: Sequence[str]) -> Schema:
    return {
        "name": name,
        "in": "path",
        "required": True,
        "schema": {"type": "string", "pattern": pattern, "maxLength": most},
        "examples": {example: {"value": example} for example in examples},
    }
