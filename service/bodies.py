"""Request bodies: bytes in, checked values out; pure. Each problem found names its place in the body."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from itertools import islice

import orjson

from contracts.task import LimitSpec
from service.errors import BodyMalformedError, RequestInvalidError, Violation, listed

# Enough to mend a request by, and an answer that stays small whatever was sent.
_MOST_VIOLATIONS = 20
_MAX_FEEDBACK_ITEMS = 4096
_SURROGATES = (0xD800, 0xDFFF)


def predict_texts(body: bytes, limits: LimitSpec) -> list[str]:
    """Texts of `{"instances": ["text" or {"text": "text"}, ...]}`, in order.

    Raises BodyMalformedError or RequestInvalidError.
    """
    instances = _list_field(_object(body), "instances", limits.max_instances, "texts to predict")
    texts: list[str] = []
    violations: list[Violation] = []
    for index, instance in enumerate(instances):
        pointer = f"#/instances/{index}"
        text = instance
        if isinstance(instance, dict):
            violations += _unknown_fields(instance, {"text"}, pointer)
            if "text" not in instance:
                violations.append(
                    Violation(pointer, 'Expected a text or {"text": "..."}; the field `text` is missing.')
                )
                continue
            text, pointer = instance["text"], f"{pointer}/text"
        problem = _text_problem(text, limits.max_text_chars)
        if problem is not None:
            violations.append(Violation(pointer, problem))
        else:
            texts.append(str(text))
    _refuse(violations)
    return texts


def check_texts(instances: list[str], limits: LimitSpec) -> list[str]:
    """The same rules for texts that came in another way than as a JSON body. Raises RequestInvalidError."""
    _check_count(instances, "instances", limits.max_instances, "texts to predict")
    problems = [(index, _text_problem(text, limits.max_text_chars)) for index, text in enumerate(instances)]
    _refuse([Violation(f"#/instances/{index}", problem) for index, problem in problems if problem is not None])
    return instances


def feedback_items(body: bytes, labels: tuple[str, ...]) -> list[tuple[str, str]]:
    """(id, label) pairs of `{"items": [{"id": ..., "label": ...}, ...]}`, in order.

    Raises BodyMalformedError or RequestInvalidError; the latter names the labels that there are.
    """
    items = _list_field(_object(body), "items", _MAX_FEEDBACK_ITEMS, "labels")
    pairs: list[tuple[str, str]] = []
    violations: list[Violation] = []
    for index, item in enumerate(items):
        pointer = f"#/items/{index}"
        if not isinstance(item, dict):
            violations.append(Violation(pointer, f'Expected {{"id": "...", "label": "..."}}, found {_kind(item)}.'))
            continue
        wrong = _unknown_fields(item, {"id", "label"}, pointer)
        for name in ("id", "label"):
            if not isinstance(item.get(name), str) or not item[name]:
                found = _kind(item[name]) if name in item else "nothing"
                wrong.append(Violation(f"{pointer}/{name}", f"Expected a string that is not empty, found {found}."))
        if not wrong and item["label"] not in labels:
            shown = ascii(item["label"][:64])
            wrong.append(Violation(f"{pointer}/label", f"Expected one of the labels {listed(labels)}; found {shown}."))
        if wrong:
            violations += wrong
        else:
            pairs.append((item["id"], item["label"]))
    _refuse(violations)
    return pairs


def _object(body: bytes) -> dict[str, object]:
    try:
        found = orjson.loads(body)
    except orjson.JSONDecodeError as error:
        if not body:
            raise BodyMalformedError("it is empty") from error
        found = _loads_with_surrogates(body, error)
    if not isinstance(found, dict):
        raise RequestInvalidError([Violation("#", f"Expected an object, found {_kind(found)}.")])
    return found


def _loads_with_surrogates(body: bytes, error: orjson.JSONDecodeError) -> object:
    """JSON whose only fault is half a surrogate pair is well formed; its place is found by the checks that follow."""
    if rb"\u" not in body:
        raise BodyMalformedError(f"found: {error}") from error
    try:
        return json.loads(body, parse_constant=_no_constant)
    except (ValueError, RecursionError) as second:
        raise BodyMalformedError(f"found: {error}") from second


def _no_constant(name: str) -> object:
    raise ValueError(name)


def _list_field(found: dict[str, object], name: str, most: int, what: str) -> list[object]:
    _refuse(_unknown_fields(found, {name}, "#"))
    if name not in found:
        raise RequestInvalidError([Violation(f"#/{name}", f"Expected a list of {what}; the field is missing.")])
    value = found[name]
    if not isinstance(value, list):
        raise RequestInvalidError([Violation(f"#/{name}", f"Expected a list of {what}, found {_kind(value)}.")])
    _check_count(value, name, most, what)
    return value


def _check_count(value: list[object] | list[str], name: str, most: int, what: str) -> None:
    if not 1 <= len(value) <= most:
        remedy = "Send at least one." if not value else "Split the request."
        detail = f"Expected 1 to {most} {what}, found {len(value)}. {remedy}"
        raise RequestInvalidError([Violation(f"#/{name}", detail)])


def _text_problem(value: object, max_chars: int) -> str | None:
    if not isinstance(value, str):
        return f"Expected a text, found {_kind(value)}."
    if len(value) > max_chars:
        return f"Expected at most {max_chars} characters, found {len(value)}. Shorten or split the text."
    if not value or value.isspace():
        return "Expected a text; it is empty or only white space."
    if "\0" in value:
        return f"Expected text; character {value.index(chr(0))} is NUL (\\u0000)."
    if not _encodable(value):
        return "Expected Unicode text; it holds half of a surrogate pair (\\ud800 to \\udfff)."
    return None


def _encodable(value: str) -> bool:
    return value.isascii() or not any(_SURROGATES[0] <= ord(character) <= _SURROGATES[1] for character in value)


def _unknown_fields(found: Mapping[str, object], known: set[str], pointer: str) -> list[Violation]:
    unknown = (name for name in found if name not in known)
    return [
        Violation(f"{pointer}/{_escaped(name)}", f"Unknown field; expected only {', '.join(sorted(known))}.")
        for name in islice(unknown, _MOST_VIOLATIONS)
    ]


def _escaped(name: str) -> str:
    """RFC 6901, section 3, kept short and printable."""
    return ascii(name[:64])[1:-1].replace("~", "~0").replace("/", "~1")


def _refuse(violations: list[Violation]) -> None:
    if violations:
        raise RequestInvalidError(violations[:_MOST_VIOLATIONS])


_KINDS: dict[type, Callable[[object], str]] = {
    type(None): lambda _: "null",
    bool: lambda found: "true" if found else "false",
    int: lambda _: "a number",
    float: lambda _: "a number",
    str: lambda found: "a string" if found else "an empty string",
    list: lambda _: "a list",
    dict: lambda _: "an object",
}


def _kind(found: object) -> str:
    return _KINDS[type(found)](found)
