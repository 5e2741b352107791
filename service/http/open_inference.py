"""Open Inference Protocol v2 over HTTP, what comes in: a body, with or without binary tensors, to a checked request.

Pure. What comes in is `text`, or `question` and `context`: BYTES, [n] or [n, 1]. The protocol:
github.com/kserve/open-inference-protocol, specification/protocol/inference_rest.md; binary tensors: its binary tensor
data extension.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from contracts.task import LimitSpec
from service.errors import RequestInvalidError, Violation
from service.http.json_values import decode_object, escaped, kind_of, list_field, refuse, unknown_fields, whole_number
from service.http.open_inference_kinds import ONE_LABEL, Tensors
from service.http.open_inference_tensors import TextTensor, read_inputs
from service.requests import (
    UNRANKED,
    PredictRequest,
    Texts,
    as_one_text,
    blank_problem,
    encodable,
    option_problem,
    options_of,
    read_texts,
)

HEADER_LENGTH = "inference-header-content-length"
_PARAMETERS = {"top_k", "key", "timeout", "binary_data_output"}
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


def infer_request(
    body: bytes,
    header_length: str | None,
    limits: LimitSpec,
    labels: int,
    version: str | None = None,
    tensors: Tensors = ONE_LABEL,
) -> InferRequest:
    """What a body asks of a task that reads and answers these `tensors`, and ranks so many `labels` (0: none).

    `header_length` is the value of the header that says how long its JSON part is, if it is there; `version` is that of
    the address. Raises BodyMalformedError or RequestInvalidError.
    """
    split = len(body) if header_length is None else _json_length(header_length, len(body))
    found = decode_object(body[:split])
    refuse(unknown_fields(found, {"id", "parameters", "inputs", "outputs"}, "#"))
    parameters = _parameters(found, labels)
    inputs = read_inputs(found, body[split:], tensors.inputs, limits.max_instances)
    read = _read_texts(inputs, tensors.inputs, limits)
    refuse(read.violations)
    options = options_of(parameters, labels)
    timeout = whole_number(parameters.get("timeout"))
    return InferRequest(
        predict=PredictRequest(read.texts, top_k=options.top_k, version=version, key=options.key, cut=read.cut),
        outputs=_wanted(found, tensors, parameters.get("binary_data_output") is True, options.top_k > 0),
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


def _parameters(found: Mapping[str, object], labels: int) -> dict[str, object]:
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
            problem = UNRANKED if name == "top_k" and not labels else option_problem(name, value)
        if problem is not None:
            violations.append(Violation(f"#/parameters/{escaped(name)}", problem))
    refuse(violations)
    return parameters


def _read_texts(inputs: Mapping[str, TextTensor], names: tuple[str, ...], limits: LimitSpec) -> Texts:
    """Of a question and its context, one text: see `requests.as_one_text`."""
    if len(names) == 1:
        return read_texts(inputs[names[0]].values, limits, inputs[names[0]].pointers)
    columns = [inputs[name] for name in names]
    refuse(
        [
            Violation(pointer, problem)
            for column in columns
            for value, pointer in zip(column.values, column.pointers, strict=True)
            if (problem := blank_problem(value)) is not None
        ]
    )
    values: list[object] = [as_one_text(*row) for row in zip(*(column.values for column in columns), strict=True)]
    return read_texts(values, limits, columns[-1].pointers)


def _wanted(found: Mapping[str, object], tensors: Tensors, binary: bool, ranks: bool) -> tuple[WantedOutput, ...]:
    possible = [name for name, output in tensors.outputs.items() if ranks or not output.ranked]
    others = [name for name in tensors.outputs if name not in possible]
    if "outputs" not in found or found["outputs"] == []:
        return tuple(WantedOutput(name, binary) for name in possible)
    wanted: list[WantedOutput] = []
    violations: list[Violation] = []
    for place, output in enumerate(list_field(found, "outputs", "outputs")[: len(tensors.outputs) + 1]):
        pointer = f"#/outputs/{place}"
        if not isinstance(output, dict):
            violations.append(Violation(pointer, f"Expected an object, found {kind_of(output)}."))
            continue
        violations += unknown_fields(output, {"name", "parameters"}, pointer)
        name, parameters = output.get("name"), output.get("parameters", {})
        if name not in possible or any(name == other.name for other in wanted):
            remedy = f" ({' and '.join(others)} need the parameter top_k)" if others else ""
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
