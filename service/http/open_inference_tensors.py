"""Open Inference Protocol v2: tensors of texts as they come, in JSON or in bytes behind it; pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import chain

from service.errors import RequestInvalidError, Violation
from service.http.json_values import kind_of, list_field, refuse, unknown_fields, whole_number
from service.requests import check_count

_LENGTH_BYTES = 4
_FIELDS = {"name", "shape", "datatype", "parameters", "data"}


@dataclass(frozen=True, slots=True)
class TextTensor:
    """Its values and their places in the body."""

    values: list[object]
    pointers: list[str]


def read_inputs(
    found: Mapping[str, object], binary: bytes, names: Sequence[str], most: int
) -> Mapping[str, TextTensor]:
    """The tensors of these names, each once and in any order, with 1 to `most` values, all with as many.

    `binary` is what follows the JSON: the bytes of one tensor after the other. Raises RequestInvalidError.
    """
    inputs = _named(list_field(found, "inputs", "tensors"), names)
    read: dict[str, TextTensor] = {}
    left = memoryview(binary)
    for place, tensor in enumerate(inputs):
        where = f"#/inputs/{place}"
        rows = _rows(tensor.get("shape"), most, where)
        size = _binary_size(tensor, where)
        is_last = place == len(inputs) - 1
        if size is None:
            if left and is_last:
                detail = f"Expected `binary_data_size`, as {len(left)} bytes follow the JSON; found none."
                refuse([Violation(f"{where}/parameters", detail)])
            values = _json_values(tensor, where)
        else:
            if "data" in tensor:
                detail = "Expected no `data` beside `binary_data_size`: a tensor comes in one way or the other."
                refuse([Violation(f"{where}/data", detail)])
            if size > len(left) or (is_last and size != len(left)):
                detail = f"Expected the number of bytes that follow the JSON, {len(left)}; found {size}."
                refuse([Violation(f"{where}/parameters/binary_data_size", detail)])
            values = list[object](_elements(bytes(left[:size]), rows, where))
            left = left[size:]
        if len(values) != rows:
            detail = f"Expected as many texts as the tensor holds, {len(values)}; found a shape of {rows}."
            refuse([Violation(f"{where}/shape", detail)])
        at = f"{where}/data/" if size is None else f"{where}, element "
        read[str(tensor["name"])] = TextTensor(values, [f"{at}{row}" for row in range(rows)])
    if len({len(tensor.values) for tensor in read.values()}) > 1:
        refuse([Violation("#/inputs", f"Expected as many values of {' as of '.join(names)}.")])
    return read


def _named(inputs: Sequence[object], names: Sequence[str]) -> list[dict[str, object]]:
    tensors = [tensor for tensor in inputs if isinstance(tensor, dict)]
    wanted = " and ".join(f"`{name}`" for name in names)
    count = "one tensor" if len(names) == 1 else f"{len(names)} tensors"
    if len(inputs) != len(names) or len(tensors) != len(inputs):
        strange = next((kind_of(one) for one in inputs if not isinstance(one, dict)), "")
        shown = f"{len(inputs)} tensors" if len(inputs) != len(names) else strange
        refuse([Violation("#/inputs", f"Expected {count}, {wanted}; found {shown}.")])
    violations: list[Violation] = []
    left = list(names)
    for place, tensor in enumerate(tensors):
        where = f"#/inputs/{place}"
        violations += unknown_fields(tensor, _FIELDS, where)
        if tensor.get("name") in left:
            left.remove(tensor["name"])
        else:
            expected = " or ".join(f'"{name}"' for name in left or names)
            violations.append(Violation(f"{where}/name", f"Expected {expected}, found {_shown(tensor.get('name'))}."))
        if tensor.get("datatype") != "BYTES":
            found = _shown(tensor.get("datatype"))
            violations.append(Violation(f"{where}/datatype", f'Expected "BYTES", found {found}.'))
    refuse(violations)
    return tensors


def _shown(value: object) -> str:
    return ascii(value[:64]) if isinstance(value, str) else kind_of(value)


def _rows(shape: object, most: int, where: str) -> int:
    sizes = [whole_number(size) for size in shape[:3]] if isinstance(shape, list) else []
    if not sizes or sizes[0] is None or sizes[1:] not in ([], [1]):
        shown = ascii(shape)[:64] if isinstance(shape, list) else kind_of(shape)
        raise RequestInvalidError([Violation(f"{where}/shape", f"Expected [n] or [n, 1], found {shown}.")])
    check_count(sizes[0], most, f"{where}/shape")
    return sizes[0]


def _binary_size(tensor: Mapping[str, object], where: str) -> int | None:
    parameters = tensor.get("parameters", {})
    where = f"{where}/parameters"
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


def _json_values(tensor: Mapping[str, object], where: str) -> list[object]:
    """A tensor's values are a flat list, or lists of one value each for [n, 1]."""
    data = tensor.get("data")
    if not isinstance(data, list):
        detail = f"Expected a list of texts, found {kind_of(data) if 'data' in tensor else 'nothing'}."
        raise RequestInvalidError([Violation(f"{where}/data", detail)])
    shape = tensor["shape"]
    columns = isinstance(shape, list) and len(shape) == 2
    if columns and data and all(isinstance(row, list) and len(row) == 1 for row in data):
        return list(chain.from_iterable(data))
    return data


def _elements(binary: bytes, rows: int, where: str) -> Sequence[str]:
    """Each element is its length in 4 bytes, little-endian, and that many bytes of UTF-8."""
    texts: list[str] = []
    at = 0
    while at < len(binary):
        begin = at + _LENGTH_BYTES
        at = begin + int.from_bytes(binary[at:begin], "little")
        if begin > len(binary) or at > len(binary) or len(texts) == rows:
            detail = f"Expected {rows} texts, each after its length in 4 bytes; the bytes after the JSON are others."
            raise RequestInvalidError([Violation(where, detail)])
        try:
            texts.append(binary[begin:at].decode())
        except UnicodeDecodeError as error:
            detail = f"Expected UTF-8; found {error.reason} at byte {error.start} of the text."
            raise RequestInvalidError([Violation(f"{where}, element {len(texts)}", detail)]) from error
    return texts
