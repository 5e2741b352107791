"""Open Inference Protocol v2 over HTTP, what goes out: answers as tensors, metadata, addresses; pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, Protocol

import numpy as np
import orjson

from service.http.open_inference import HEADER_LENGTH, INPUT, OUTPUTS, InferRequest

JSON = b"application/json"
BINARY = b"application/octet-stream"
EXTENSIONS = ("binary_tensor_data",)
# The protocol's name for an ONNX file.
PLATFORM = "onnx_onnxv1"

Place = Literal["server", "live", "ready", "model", "model_ready", "infer"]


class Answer(Protocol):
    """What is known of one text."""

    @property
    def id(self) -> str: ...
    @property
    def label(self) -> str: ...
    @property
    def score(self) -> float: ...
    @property
    def scores(self) -> Sequence[tuple[str, float]] | None: ...
    @property
    def truncated(self) -> bool: ...


@dataclass(frozen=True, slots=True)
class Address:
    """What a path under /v2 names."""

    place: Place
    model: str = ""
    version: str | None = None


@dataclass(frozen=True, slots=True)
class Reply:
    """A response's body and what its headers say of it."""

    body: bytes
    content_type: bytes = JSON
    headers: tuple[tuple[bytes, bytes], ...] = ()


_SERVER: dict[str, Place] = {"/v2": "server", "/v2/health/live": "live", "/v2/health/ready": "ready"}
_MODEL: dict[str, Place] = {"": "model", "ready": "model_ready", "infer": "infer"}
_PREFIX = "/v2/models/"


def find_address(path: str) -> Address | None:
    """What a path names, if anything."""
    if path in _SERVER:
        return Address(_SERVER[path])
    if not path.startswith(_PREFIX):
        return None
    model, *rest = path[len(_PREFIX) :].split("/")
    version = None
    if len(rest) >= 2 and rest[0] == "versions":
        version, rest = rest[1], rest[2:]
    place = _MODEL.get(rest[0] if rest else "") if len(rest) <= 1 and rest != [""] else None
    return Address(place, model, version) if place and model and version != "" else None


def infer_reply(model: str, version: str, request: InferRequest, answers: Sequence[Answer]) -> Reply:
    """The tensors that a request wants, in the order in which it wants them: JSON first, then what is binary."""
    outputs: list[dict[str, object]] = []
    tail: list[bytes] = []
    for wanted in request.outputs:
        datatype, columns = OUTPUTS[wanted.name]
        values = _values(wanted.name, answers)
        shape = [len(answers), len(values) // len(answers)] if columns else [len(answers)]
        output: dict[str, object] = {"name": wanted.name, "datatype": datatype, "shape": shape}
        if wanted.binary:
            packed = _packed(datatype, values)
            output["parameters"] = {"binary_data_size": len(packed)}
            tail.append(packed)
        else:
            output["data"] = values
        outputs.append(output)
    head: dict[str, object] = {"model_name": model, "model_version": version}
    if request.id is not None:
        head["id"] = request.id
    text = orjson.dumps({**head, "outputs": outputs})
    if not any(wanted.binary for wanted in request.outputs):
        return Reply(text)
    length = (HEADER_LENGTH.encode(), str(len(text)).encode())
    return Reply(b"".join([text, *tail]), BINARY, (length,))


def error_body(message: str) -> bytes:
    """The protocol's form of a refusal."""
    return orjson.dumps({"error": message})


def server_metadata(version: str) -> dict[str, object]:
    """GET /v2."""
    return {"name": "perennial", "version": version, "extensions": list(EXTENSIONS)}


def model_metadata(model: str, versions: Sequence[str]) -> dict[str, object]:
    """GET /v2/models/{model}; -1 is as many as there are."""
    return {
        "name": model,
        "versions": list(versions),
        "platform": PLATFORM,
        "inputs": [{"name": INPUT, "datatype": "BYTES", "shape": [-1]}],
        "outputs": [
            {"name": name, "datatype": datatype, "shape": [-1, -1] if columns else [-1]}
            for name, (datatype, columns) in OUTPUTS.items()
        ],
    }


def _values(name: str, answers: Sequence[Answer]) -> list[object]:
    if name == "labels":
        return [label for answer in answers for label, _ in answer.scores or ()]
    if name == "scores":
        return [score for answer in answers for _, score in answer.scores or ()]
    return [getattr(answer, name) for answer in answers]


def _packed(datatype: str, values: Sequence[object]) -> bytes:
    if datatype == "FP32":
        return np.asarray(values, dtype="<f4").tobytes()
    if datatype == "BOOL":
        return np.asarray(values, dtype=np.bool_).tobytes()
    encoded = [str(value).encode() for value in values]
    return b"".join([len(element).to_bytes(4, "little") + element for element in encoded])
