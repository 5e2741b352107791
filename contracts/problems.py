"""What pydantic found wrong with a file, told to whoever wrote it."""

from __future__ import annotations

from collections.abc import Iterator
from difflib import get_close_matches

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from contracts.schema import TASK_NAME

_PROBLEMS_SHOWN = 10
_VALUE_SHOWN = 80
_NEAR = 0.7  # of difflib's ratio: `epoch` is like `epochs`, `lr` is like nothing


def describe_problems(error: ValidationError, model: type[BaseModel] | None = None) -> str:
    """Pydantic's findings as one line: field, problem, found; the first ten of them.

    With the `model` of the file, a field that it does not have is told with the one that was probably meant.
    """
    parts = []
    for item in error.errors()[:_PROBLEMS_SHOWN]:
        field = ".".join(str(part) for part in item["loc"]) or "the file"
        told = f"{field}: {_told(item)}"
        if item["type"] not in ("missing", "value_error"):
            told += f" (found {_shortened(item['input'])}{_guess(item, model)})"
        parts.append(told)
    if error.error_count() > _PROBLEMS_SHOWN:
        parts.append(f"and {error.error_count() - _PROBLEMS_SHOWN} more")
    return "; ".join(parts) + "."


def _told(item: ErrorDetails) -> str:
    if item["type"] == "extra_forbidden":
        return "unknown"
    if item["type"] == "string_pattern_mismatch" and item.get("ctx", {}).get("pattern") == TASK_NAME:
        return "expected 1 to 48 lower-case letters, digits and, between them, hyphens"
    return item["msg"].removeprefix("Value error, ")


def _guess(item: ErrorDetails, model: type[BaseModel] | None) -> str:
    """What an unknown field may have meant: the nearest beside it, or else where one of that name belongs."""
    if model is None or item["type"] != "extra_forbidden":
        return ""
    *tables, name = (str(part) for part in item["loc"])
    known = [field for table, field in _fields(model) if table == ".".join(tables)]
    near = get_close_matches(name, known, n=1, cutoff=_NEAR)
    if near:
        return f"; did you mean `{near[0]}`?"
    homes = [f"in [{table}]" if table else "above all tables" for table, field in _fields(model) if field == name]
    return f"; it belongs {' or '.join(homes)}" if homes else ""


def _fields(model: type[BaseModel], table: str = "") -> Iterator[tuple[str, str]]:
    """Every field of the model with the table that it stands in ("" at the top), tables of tables too."""
    for name, field in model.model_fields.items():
        yield table, field.alias or name
        for kind in (field.annotation, *getattr(field.annotation, "__args__", ())):
            if isinstance(kind, type) and issubclass(kind, BaseModel):
                yield from _fields(kind, f"{table}.{name}".removeprefix("."))


def _shortened(value: object) -> str:
    shown = repr(value)
    return shown if len(shown) <= _VALUE_SHOWN else f"{shown[:_VALUE_SHOWN]}..."
