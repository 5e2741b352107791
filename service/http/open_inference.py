"""Open Inference Protocol v2 over HTTP, what comes in: a body, with or without binary tensors, to a checked request.

Pure. One tensor comes in: `text`, BYTES, [n] or [n, 1]. The protocol: github.com/kserve/open-inference-protocol,
specification/protocol/inference_rest.md; binary tensors: its binary tensor data extension.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import chain

from contracts.task import LimitSpec
from service.errors import RequestInvalidError, Violation
from service.http.json_values import decode_object, escaped, kind_of, list_field, refuse, unknown_fields, whole_number
from service.requests import PredictRequest, check_count, encodable, option_problem, options_of, read_texts

INPUT = "text"
HEADER_LENGTH = "inference-header-content-length"
# Name -> (datatype, whether it has a column for each of the top_k labels).
OUTPUTS: Mapping[str, tuple[str, bool]] = {
    "label": ("BYTES", False),
    "score": ("FP32", False),
    "id": ("BYTES", False),
    "truncated": ("BOOL", False),
    "labels": ("BYTES", True),
    "scores": ("FP32", True),
}
_PARAMETERS = {"top_k", "key", "timeout", "binary_data_output"}
_LENGTH_BYTES = 4
_LONGEST_TIMEOUT = 10**10  # microseconds


@dataclass(frozen=True, slots=True)
class WantedOutput:
    """One tensor of the answer."""

    name: str
    binary: bool


@dataclass(frozen=True, slots=True)
class InferRequest:
    """Checked."""

    predict: PredictRequest
    outputs: tuple[WantedOutput, ...]
    id: str | None = None  # of the request, to be sent back
    timeout: float | None = None  # seconds


@dataclass(frozen=True, slots=True)
class _Tensor:
    values: list[object]
    pointers: list[str]


def infer_request(
    body: bytes, header_length: str | None, limits: LimitSpec, labels: int, version: str | None = None
) -> InferRequest:
    """What a body asks for. `header_length` is the value of the header that says how long its JSON part is, if it is
    there; `version` is that of the address. Raises BodyMalformedError or RequestInvalidError.
    """
    split = len(body) if header_length is None else _json_length(header_length, len(body))
    found = decode_object(body[:split])
    refuse(unknown_fields(found, {"id", "parameters", "inputs", "outputs"}, "#"))
    parameters = _parameters(found)
    tensor = _read_input(_only_input(found), body[split:], limits)
    read = read_texts(tensor.values, limits, tensor.pointers)
    refuse(read.violations)
    options = options_of(parameters, labels)
    timeout = whole_number(parameters.get("timeout"))
    return InferRequest(
        predict=PredictRequest(read.texts, top_k=options.top_k, version=version, key=options.key, cut=read.cut),
        outputs=_wanted(found, parameters.get("binary_data_output") is True, options.top_k > 0),
        id=_request_id(found),
        # Longer than the service would allow anyway; as a float, what callers write may have no end.
        timeout=min(timeout, _LONGEST_TIMEOUT) / 1e6 if timeout else None,
    )


def _json_length(value: str, whole: int) -> int:
    if not (value.isascii() and value.isdigit() and len(value) < 20 and int(value) <= whole):
        detail = f"Expected the length of the JSON part in bytes, at most {whole}; found {value[:40]!a}."
        raise RequestInvalidError([Violation("Inference-Header-Content-Length", detail)])
    return int(value)


def _request_id(found: Mapping[str, object]) -> str | None:
    identifier = found.get("id")
    if "id" in found and (not isinstance(identifier, str) or not encodable(identifier)):
        raise RequestInvalidError([Violation("#/id", f"Expected a string, found {kind_of(identifier)}.")])
    return identifier if isinstance(identifier, str) else None


def _parameters(found: Mapping[str, object]) -> dict[str, object]:
    parameters = found.get("parameters", {})
    if not isinstance(parameters, dict):
        raise RequestInvalidError([Violation("#/parameters", f"Expected an object, found {kind_of(parameters)}.")])
    violations = unknown_fields(parameters, _PARAMETERS, "#/parameters")
    for name, value in parameters.items():
        if name == "timeout" and whole_number(value) is None:
            problem: str | None = f"Expected microseconds as a whole number from 0, found {kind_of(value)}."
        elif name == "binary_data_output" and not isinstance(value, bool):
            problem = f"Expected true or false, found {kind_of(value)}."
        else:
            problem = option_problem(name, value)
        if problem is not None:
            violations.append(Violation(f"#/parameters/{escaped(name)}", problem))
    refuse(violations)
    return parameters


def _only_input(found: Mapping[str, object]) -> dict[str, object]:
    inputs = list_field(found, "inputs", "tensors")
    if len(inputs) != 1 or not isinstance(inputs[0], dict):
        kind = f"{len(inputs)} tensors" if len(inputs) != 1 else kind_of(inputs[0])
        raise RequestInvalidError([Violation("#/inputs", f"Expected one tensor, `{INPUT}`; found {kind}.")])
    tensor: dict[str, object] = inputs[0]
    violations = unknown_fields(tensor, {"name", "shape", "datatype", "parameters", "data"}, "#/inputs/0")
    for name, wanted in (("name", INPUT), ("datatype", "BYTES")):
        value = tensor.get(name)
        if value != wanted:
            shown = ascii(value[:64]) if isinstance(value, str) else kind_of(value)
            violations.append(Violation(f"#/inputs/0/{name}", f'Expected "{wanted}", found {shown}.'))
    refuse(violations)
    return tensor


def _read_input(tensor: Mapping[str, object], binary: bytes, limits: LimitSpec) -> _Tensor:
    rows = _rows(tensor.get("shape"), limits.max_instances)
    size = _binary_size(tensor)
    if size is None:
        if binary:
            detail = f"Expected `binary_data_size`, as {len(binary)} bytes follow the JSON; found none."
            raise RequestInvalidError([Violation("#/inputs/0/parameters", detail)])
        values = _json_values(tensor)
    else:
        if "data" in tensor:
            detail = "Expected no `data` beside `binary_data_size`: a tensor comes in one way or the other."
            raise RequestInvalidError([Violation("#/inputs/0/data", detail)])
        if size != len(binary):
            detail = f"Expected the number of bytes that follow the JSON, {len(binary)}; found {size}."
            raise RequestInvalidError([Violation("#/inputs/0/parameters/binary_data_size", detail)])
        values = list[object](_elements(binary, rows))
    if len(values) != rows:
        detail = f"Expected as many texts as the tensor holds, {len(values)}; found a shape of {rows}."
        raise RequestInvalidError([Violation("#/inputs/0/shape", detail)])
    where = "#/inputs/0/data" if size is None else "#/inputs/0, element "
    return _Tensor(values, [f"{where}/{row}" if size is None else f"{where}{row}" for row in range(rows)])


def _rows(shape: object, most: int) -> int:
    sizes = [whole_number(size) for size in shape[:3]] if isinstance(shape, list) else []
    if not sizes or sizes[0] is None or sizes[1:] not in ([], [1]):
        shown = ascii(shape)[:64] if isinstance(shape, list) else kind_of(shape)
        raise RequestInvalidError([Violation("#/inputs/0/shape", f"Expected [n] or [n, 1], found {shown}.")])
    check_count(sizes[0], most, "#/inputs/0/shape")
    return sizes[0]


def _binary_size(tensor: Mapping[str, object]) -> int | None:
    parameters = tensor.get("parameters", {})
    where = "#/inputs/0/parameters"
    if not isinstance(parameters, dict):
        raise RequestInvalidError([Violation(where, f"Expected an object, found {kind_of(parameters)}.")])
    refuse(unknown_fields(parameters, {"binary_data_size"}, where))
    if "binary_data_size" not in parameters:
        return None
    size = whole_number(parameters["binary_data_size"])
    if size is None:
        detail = f"Expected a number of bytes, found {kind_of(parameters['binary_data_size'])}."
        raise RequestInvalidError([Violation(f"{where}/binary_data_size", detail)])
    return size


def _json_values(tensor: Mapping[str, object]) -> list[object]:
    """A tensor's values are a flat list, or lists of one value each for [n, 1]."""
    data = tensor.get("data")
    if not isinstance(data, list):
        detail = f"Expected a list of texts, found {kind_of(data) if 'data' in tensor else 'nothing'}."
        raise RequestInvalidError([Violation("#/inputs/0/data", detail)])
    shape = tensor["shape"]
    columns = isinstance(shape, list) and len(shape) == 2
    if columns and data and all(isinstance(row, list) and len(row) == 1 for row in data):
        return list(chain.from_iterable(data))
    return data


def _elements(binary: bytes, rows: int) -> Sequence[str]:
    """Each element is its length in 4 bytes, little-endian, and that many bytes of UTF-8."""
    texts: list[str] = []
    at = 0
    while at < len(binary):
        begin = at + _LENGTH_BYTES
        at = begin + int.from_bytes(binary[at:begin], "little")
        if begin > len(binary) or at > len(binary) or len(texts) == rows:
            detail = f"Expected {rows} texts, each after its length in 4 bytes; the bytes after the JSON are others."
            raise RequestInvalidError([Violation("#/inputs/0", detail)])
        try:
            texts.append(binary[begin:at].decode())
        except UnicodeDecodeError as error:
            detail = f"Expected UTF-8; found {error.reason} at byte {error.start} of the text."
            raise RequestInvalidError([Violation(f"#/inputs/0, element {len(texts)}", detail)]) from error
    return texts


def _wanted(found: Mapping[str, object], binary: bool, with_columns: bool) -> tuple[WantedOutput, ...]:
    possible = [name for name, (_, columns) in OUTPUTS.items() if with_columns or not columns]
    if "outputs" not in found or found["outputs"] == []:
        return tuple(WantedOutput(name, binary) for name in possible)
    wanted: list[WantedOutput] = []
    violations: list[Violation] = []
    for place, output in enumerate(list_field(found, "outputs", "outputs")[: len(OUTPUTS) + 1]):
        pointer = f"#/outputs/{place}"
        if not isinstance(output, dict):
            violations.append(Violation(pointer, f"Expected an object, found {kind_of(output)}."))
            continue
        violations += unknown_fields(output, {"name", "parameters"}, pointer)
        name, parameters = output.get("name"), output.get("parameters", {})
        if name not in possible or any(name == other.name for other in wanted):
            remedy = "" if with_columns else " (`labels` and `scores` need the parameter top_k)"
            detail = f"Expected one of {', '.join(possible)}{remedy}, each once; found {ascii(name)[:64]}."
            violations.append(Violation(f"{pointer}/name", detail))
        if not isinstance(parameters, dict):
            violations.append(Violation(f"{pointer}/parameters", f"Expected an object, found {kind_of(parameters)}."))
            continue
        violations += unknown_fields(parameters, {"binary_data"}, f"{pointer}/parameters")
        own = parameters.get("binary_data", binary)
        if not isinstance(own, bool):
            detail = f"Expected true or false, found {kind_of(own)}."
            violations.append(Violation(f"{pointer}/parameters/binary_data", detail))
        wanted.append(WantedOutput(str(name), own is True))
    refuse(violations)
    return tuple(wanted)
