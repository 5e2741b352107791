"""JSON: a list of objects, or an object that holds one under "data" or "rows"; each with the line it begins on."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path

from contracts.errors import DataError
from training.data.columns import Columns
from training.data.encoding import read_utf8
from training.data.jsonl import record_of
from training.data.rows import Problems, Record

LISTS = ("data", "rows")
_DECODER = json.JSONDecoder()
_SPACE = re.compile(r"[ \t\n\r]*")
_REMEDY = 'Write a list of objects, or {"data": [...]}; a file of one object a line must be named .jsonl.'


def read_json(path: Path, columns: Columns, problems: Problems) -> Iterator[Record]:
    """Records of a JSON file; what is no object is noted. Raises DataError at the line where it is no JSON."""
    content = read_utf8(path)
    for line, value, written in json_elements(path, content):
        if (record := record_of(line, value, written, columns, problems)) is not None:
            yield record


def json_elements(path: Path, content: str) -> Iterator[tuple[int, object, str]]:
    """(line from 1, value, its first characters) of each element of the file's list."""
    try:
        yield from _elements(path, content)
    except json.JSONDecodeError as error:
        raise DataError(path, error.lineno, f"invalid JSON: {error}.", _REMEDY) from error
    except ValueError as error:
        raise DataError(path, None, f"invalid JSON: {error}.", _REMEDY) from error
    except RecursionError as error:
        raise DataError(path, None, "the JSON is nested too deep.", _REMEDY) from error


def _elements(path: Path, content: str) -> Iterator[tuple[int, object, str]]:
    at = _list_begins(path, content)
    line, counted = 1, 0
    at = _skip(content, at + 1)
    while content[at : at + 1] != "]":
        line, counted = line + content.count("\n", counted, at), at
        value, end = _DECODER.raw_decode(content, at)
        yield line, value, content[at : at + 30]
        at = _skip(content, end)
        if content[at : at + 1] == ",":
            at = _skip(content, at + 1)
            if content[at : at + 1] == "]":
                raise json.JSONDecodeError("Illegal trailing comma before end of list", content, at)
        elif content[at : at + 1] != "]":
            raise json.JSONDecodeError("Expecting ',' or ']'", content, at)
    _check_end(content, at + 1)


def _list_begins(path: Path, content: str) -> int:
    """Where the list's bracket stands. Raises DataError when there is none."""
    at = _skip(content, 0)
    if content[at : at + 1] == "[":
        return at
    if content[at : at + 1] != "{":
        _DECODER.raw_decode(content, at)
        raise DataError(path, 1, f"expected a list of objects, found {content[at : at + 30]!r}.", _REMEDY)
    names: list[str] = []
    at = _skip(content, at + 1)
    while content[at : at + 1] != "}":
        name, at = _named(content, at)
        names.append(name)
        if name in LISTS and content[at : at + 1] == "[":
            return at
        _, at = _DECODER.raw_decode(content, at)
        at = _next_name(content, at)
    found = ", ".join(map(repr, names)) or "nothing"
    raise DataError(path, 1, f'expected a list under "data" or "rows", found {found}.', _REMEDY)


def _check_end(content: str, at: int) -> None:
    """Raises for what stands behind the list that ends before `at` and is neither the rest of its object nor blank."""
    at = _skip(content, at)
    if content[_skip(content, 0)] == "{":
        at = _next_name(content, at)
        while content[at : at + 1] != "}":
            _, at = _DECODER.raw_decode(content, _named(content, at)[1])
            at = _next_name(content, at)
        at = _skip(content, at + 1)
    if at < len(content):
        raise json.JSONDecodeError("Extra data", content, at)


def _named(content: str, at: int) -> tuple[str, int]:
    """The name of a property that begins here, and where its value does."""
    if content[at : at + 1] != '"':
        raise json.JSONDecodeError("Expecting a property name in double quotes", content, at)
    name, at = _DECODER.raw_decode(content, at)
    at = _skip(content, at)
    if content[at : at + 1] != ":":
        raise json.JSONDecodeError("Expecting ':'", content, at)
    return str(name), _skip(content, at + 1)


def _next_name(content: str, at: int) -> int:
    """Where, behind a property's value, the next one begins or the object ends."""
    at = _skip(content, at)
    if content[at : at + 1] == ",":
        return _skip(content, at + 1)
    if content[at : at + 1] != "}":
        raise json.JSONDecodeError("Expecting ',' or '}'", content, at)
    return at


def _skip(content: str, at: int) -> int:
    """Past white space."""
    found = _SPACE.match(content, at)
    return found.end() if found is not None else at
