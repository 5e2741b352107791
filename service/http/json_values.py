"""JSON bodies: bytes in, an object out, and the words for what is wrong with one; pure."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from itertools import islice

import orjson

from service.errors import BodyMalformedError, RequestInvalidError, Violation

# Enough to mend a request by, and an answer that stays small whatever was sent.
MOST_VIOLATIONS = 20


def decode_object(body: bytes) -> dict[str, object]:
    """The JSON object that a body is. Raises BodyMalformedError or RequestInvalidError."""
    try:
        found = orjson.loads(body)
    except orjson.JSONDecodeError as error:
        if not body:
            raise BodyMalformedError("it is empty") from error
        found = _loads_with_surrogates(body, error)
    if not isinstance(found, dict):
        raise RequestInvalidError([Violation("#", f"Expected an object, found {kind_of(found)}.")])
    return found


def list_field(found: Mapping[str, object], name: str, what: str, beside: Sequence[Violation] = ()) -> list[object]:
    """A field that must be there and a list. Raises RequestInvalidError, with what was found `beside` it."""
    if name not in found:
        problem = Violation(f"#/{name}", f"Expected a list of {what}; the field is missing.")
        raise RequestInvalidError([problem, *beside])
    value = found[name]
    if not isinstance(value, list):
        problem = Violation(f"#/{name}", f"Expected a list of {what}, found {kind_of(value)}.")
        raise RequestInvalidError([problem, *beside])
    return value


def unknown_fields(found: Mapping[str, object], known: set[str], pointer: str) -> list[Violation]:
    """A violation for each field that is not among `known`, the first of them."""
    unknown = (name for name in found if name not in known)
    return [
        Violation(f"{pointer}/{escaped(name)}", f"Unknown field; expected only {', '.join(sorted(known))}.")
        for name in islice(unknown, MOST_VIOLATIONS)
    ]


def refuse(violations: list[Violation]) -> None:
    """Raises RequestInvalidError when there are any."""
    if violations:
        raise RequestInvalidError(violations[:MOST_VIOLATIONS])


def escaped(name: str) -> str:
    """A field's name in a JSON pointer (RFC 6901, section 3), kept short and printable."""
    return ascii(name[:64])[1:-1].replace("~", "~0").replace("/", "~1")


def kind_of(found: object) -> str:
    """What a JSON value is, in words."""
    return _KINDS[type(found)](found)


def whole_number(found: object) -> int | None:
    """A number from 0 without a fraction, however it was written (JSON has one kind); None for all else."""
    if isinstance(found, float) and found.is_integer():
        found = int(found)
    return found if type(found) is int and found >= 0 else None


def _loads_with_surrogates(body: bytes, error: orjson.JSONDecodeError) -> object:
    """JSON whose only fault is half a surrogate pair is well formed; its place is found by the checks that follow."""
    try:
        body.decode()
    except UnicodeDecodeError as wrong:
        raise BodyMalformedError(f"found {wrong.reason} at byte {wrong.start}") from wrong
    if rb"\u" not in body:
        raise BodyMalformedError(f"found: {error}") from error
    try:
        return json.loads(body, parse_constant=_no_constant)
    except (ValueError, RecursionError) as second:
        raise BodyMalformedError(f"found: {error}") from second


def _no_constant(name: str) -> object:
    raise ValueError(name)


_KINDS: dict[type, Callable[[object], str]] = {
    type(None): lambda _: "null",
    bool: lambda found: "true" if found else "false",
    int: lambda _: "a number",
    float: lambda _: "a number",
    str: lambda found: "a string" if found else "an empty string",
    list: lambda _: "a list",
    dict: lambda _: "an object",
}
