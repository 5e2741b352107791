"""Bodies of POST /v1/embeddings, in the form that OpenAI's clients send and read; pure."""

from __future__ import annotations

import base64
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from contracts.reference import Floats
from contracts.task import LimitSpec
from service.errors import Violation
from service.http.json_values import decode_object, kind_of, refuse, unknown_fields, whole_number
from service.requests import PredictRequest, check_count, option_problem, read_texts

_FORMATS = ("float", "base64")
_FIELDS = {"model", "input", "encoding_format", "dimensions", "user"}


@dataclass(frozen=True, slots=True)
class EmbeddingsRequest:
    """What is asked for, before the task is known that `model` names."""

    model: str
    inputs: list[object]
    single: bool  # `input` was one text
    base64: bool
    dimensions: int | None
    user: str | None  # the same user is answered by the same release while a canary is tried


def read_embeddings(body: bytes) -> EmbeddingsRequest:
    """`{"model": task, "input": text or [texts], "encoding_format": "float" or "base64", "user": ...}`.

    Raises BodyMalformedError or RequestInvalidError.
    """
    found = decode_object(body)
    refuse(unknown_fields(found, _FIELDS, "#"))
    violations: list[Violation] = []
    model, given = found.get("model"), found.get("input")
    if not isinstance(model, str) or not model:
        violations.append(Violation("#/model", f"Expected the name of a task, found {_found(found, 'model')}."))
    if not isinstance(given, str | list):
        violations.append(Violation("#/input", f"Expected a text or a list of texts, found {_found(found, 'input')}."))
    wanted = found.get("encoding_format") or "float"
    if wanted not in _FORMATS:
        violations.append(Violation("#/encoding_format", f'Expected "float" or "base64", found {ascii(wanted)[:40]}.'))
    dimensions = whole_number(found.get("dimensions"))
    if found.get("dimensions") is not None and not dimensions:
        violations.append(Violation("#/dimensions", "Expected a whole number from 1 on."))
    user = found.get("user")
    if user is not None and (problem := option_problem("key", user)) is not None:
        violations.append(Violation("#/user", problem))
    refuse(violations)
    return EmbeddingsRequest(
        model=str(model),
        inputs=given if isinstance(given, list) else [given],
        single=isinstance(given, str),
        base64=wanted == "base64",
        dimensions=dimensions,
        user=user if isinstance(user, str) else None,
    )


def embeddings_predict(request: EmbeddingsRequest, limits: LimitSpec, dimensions: int) -> PredictRequest:
    """The same request as any protocol's, held against a task's limits. Raises RequestInvalidError."""
    check_count(len(request.inputs), limits.max_instances, "#/input")
    if request.dimensions not in (None, dimensions):
        detail = f"Expected {dimensions}, as the model's vectors have, or none; found {request.dimensions}."
        refuse([Violation("#/dimensions", detail)])
    if all(isinstance(value, int | list) for value in request.inputs):
        refuse([Violation("#/input", "Expected texts, found tokens: send the texts, they are tokenized here.")])
    pointers = ["#/input"] if request.single else [f"#/input/{place}" for place in range(len(request.inputs))]
    read = read_texts(request.inputs, limits, pointers)
    refuse(read.violations)
    return PredictRequest(read.texts, key=request.user, cut=read.cut)


def embeddings_answer(model: str, vectors: Sequence[Floats], tokens: int, *, as_base64: bool) -> dict[str, object]:
    """The answer, vectors in the order of the texts as arrays, or in base64 as little-endian float32.

    `tokens` are those of all texts before any was cut.
    """
    return {
        "object": "list",
        "data": [
            {"object": "embedding", "index": index, "embedding": _base64(vector) if as_base64 else vector}
            for index, vector in enumerate(vectors)
        ],
        "model": model,
        "usage": {"prompt_tokens": tokens, "total_tokens": tokens},
    }


def _base64(vector: Floats) -> str:
    return base64.b64encode(np.ascontiguousarray(vector, dtype="<f4").tobytes()).decode("ascii")


def _found(body: dict[str, object], name: str) -> str:
    return kind_of(body[name]) if name in body else "nothing"
