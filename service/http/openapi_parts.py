"""What operations of the OpenAPI document are made of; pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from service.http.json_schema import Schema, ref
from service.http.openapi_refusals import JSON, refusal_ref


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
            **{str(status): refusal_ref(kind, status) for status in sorted(told)},
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


def path_parameter(name: str, pattern: str, most: int, examples: Sequence[str]) -> Schema:
    return {
        "name": name,
        "in": "path",
        "required": True,
        "schema": {"type": "string", "pattern": pattern, "maxLength": most},
        "examples": {example: {"value": example} for example in examples},
    }
