"""Open Inference Protocol v2 over HTTP, what goes out: answers as tensors, metadata, addresses; pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt
import orjson

from service.http.open_inference import HEADER_LENGTH, InferRequest
from service.http.open_inference_kinds import ONE_LABEL, Answer, Datatype, Tensors

JSON = b"application/json"
BINARY = b"application/octet-stream"
EXTENSIONS = ("binary_tensor_data",)
# The protocol's name for an ONNX file.
PLATFORM = "onnx_onnxv1"

Place = Literal["server", "live", "ready", "model", "model_ready", "infer"]


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


def infer_reply(
    model: str, version: str, request: InferRequest, answers: Sequence[Answer], tensors: Tensors = ONE_LABEL
) -> Reply:
    """The tensors that a request wants, in the order in which it wants them: JSON first, then what is binary."""
    outputs: list[dict[str, object]] = []
    tail: list[bytes] = []
    for wanted in request.outputs:
        spec = tensors.outputs[wanted.name]
        found = [spec.of(answer) for answer in answers]
        values = _flat(found) if spec.wide else found
        shape = [len(answers), len(values) // len(answers)] if spec.wide else [len(answers)]
        output: dict[str, object] = {"name": wanted.name, "datatype": spec.datatype, "shape": shape}
        if wanted.binary:
            packed = _packed(spec.datatype, values)
            output["parameters"] = {"binary_data_size": len(packed)}
            tail.append(packed)
        else:
            output["data"] = values
        outputs.append(output)
    head: dict[str, object] = {"model_name": model, "model_version": version}
    if request.id is not None:
        head["id"] = request.id
    text = orjson.dumps({**head, "outputs": outputs}, option=orjson.OPT_SERIALIZE_NUMPY)
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


def model_metadata(
    model: str, versions: Sequence[str], tensors: Tensors = ONE_LABEL, hidden: int = -1
) -> dict[str, object]:
    """GET /v2/models/{model}; -1 is as many as there are. `hidden` is the length of an embedding."""
    return {
        "name": model,
        "versions": list(versions),
        "platform": PLATFORM,
        "inputs": [{"name": name, "datatype": "BYTES", "shape": [-1]} for name in tensors.inputs],
        "outputs": [
            {
                "name": name,
                "datatype": output.datatype,
                "shape": [-1, -1 if output.ranked else hidden] if output.wide else [-1],
            }
            for name, output in tensors.outputs.items()
        ],
    }


Values = Sequence[object] | npt.NDArray[np.generic]


def _flat(rows: Sequence[object]) -> Values:
    """Rows of vectors, or of lists; numpy's own strings would lose a NUL at their end."""
    vectors = [row for row in rows if isinstance(row, np.ndarray)]
    if len(vectors) == len(rows):
        return np.concatenate(vectors)
    return [value for row in rows if isinstance(row, list) for value in row]


_NUMBERS: dict[Datatype, str] = {"FP32": "<f4", "INT64": "<i8", "BOOL": "?"}


def _packed(datatype: Datatype, values: Values) -> bytes:
    if datatype != "BYTES":
        return np.asarray(values, dtype=_NUMBERS[datatype]).tobytes()
    encoded = [str(value).encode() for value in values]
    return b"".join([len(element).to_bytes(4, "little") + element for element in encoded])
