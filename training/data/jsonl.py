"""JSON Lines: one object a line."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

from training.data.encoding import read_utf8
from training.data.rows import Problems, Record, missing_column


def read_jsonl(path: Path, text_column: str, label_column: str, problems: Problems) -> Iterator[Record]:
    """Records of a JSON Lines file; blank lines are passed over, all else that is no object is noted."""
    for line, content in enumerate(read_utf8(path).split("\n"), start=1):
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
        if not isinstance(value, dict):
            problems.add(
                line,
                f"expected a JSON object, found {type(value).__name__} {content[:30]!r}.",
                f'Write one object a line, such as {{"{text_column}": "...", "{label_column}": "..."}}.',
            )
            continue
        lacking = [column for column in dict.fromkeys((text_column, label_column)) if column not in value]
        for column in lacking:
            problems.add(line, *missing_column(column, list(value)))
        if not lacking:
            yield Record(line, value[text_column], value[label_column])
