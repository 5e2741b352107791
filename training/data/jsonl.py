"""JSON Lines: one object a line."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

from training.data.columns import Columns
from training.data.encoding import lines_of, read_utf8
from training.data.rows import Problems, Record


def read_jsonl(path: Path, columns: Columns, problems: Problems) -> Iterator[Record]:
    """Records of a JSON Lines file; blank lines are passed over, all else that is no object is noted."""
    for line, content in enumerate(lines_of(read_utf8(path)), start=1):
        if not content or content.isspace():
            continue
        try:
            value = json.loads(content)
        except RecursionError:
            problems.add(line, "the JSON is nested too deep.", "Write one flat JSON object a line.")
            continue
        except ValueError as error:
            problems.add(line, f"invalid JSON: {error}.", "Write one whole JSON object a line.")
            continue
        if (record := record_of(line, value, content, columns, problems)) is not None:
            yield record


def record_of(line: int, value: object, content: str, columns: Columns, problems: Problems) -> Record | None:
    """A JSON value as a record, or None after its problems were noted; `content` is how it is written."""
    if not isinstance(value, dict):
        problems.add(
            line,
            f"expected a JSON object, found {type(value).__name__} {content[:30]!r}.",
            f"Write one object a row, such as {columns.example}.",
        )
        return None
    chosen = columns.chosen(list(value))
    if chosen is None:
        columns.note_missing(line, list(value), problems)
        return None
    return Record(line, {column: value[column] for column in chosen})
