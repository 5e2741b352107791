"""Texts with any number of labels each."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable
from dataclasses import dataclass, replace
from typing import Any

from contracts.errors import DataError
from contracts.joined_labels import joined
from contracts.task import DataSpec
from training.data.columns import Columns
from training.data.extras import Extras
from training.data.records import problems_of, read_records
from training.data.rows import Problems, Row, is_telling, kind_of, label_of, shorten, text_of
from training.data.sources import check_distinct


@dataclass(frozen=True, slots=True, kw_only=True)
class MultiLabelRow(Row):
    """A text and its labels, sorted, each once, perhaps none; `label` is them joined by "+", or "none"."""

    labels: tuple[str, ...]

    @property
    def truth(self) -> tuple[str, ...]:
        """The labels."""
        return self.labels

    @property
    def names(self) -> tuple[str, ...]:
        """The labels."""
        return self.labels

    def without(self, names: Collection[str]) -> MultiLabelRow:
        """The row without some of its labels."""
        kept = multi_label_row(self.text, set(self.labels) - set(names), self.file, self.line)
        return replace(kept, extra=self.extra, time=self.time)

    def content(self) -> dict[str, Any]:
        """The row as JSON, without its place."""
        made: dict[str, Any] = {"text": self.text, "labels": list(self.labels)}
        return made | ({"extra": dict(self.extra)} if self.extra else {})


def multi_label_row(text: str, labels: Iterable[str], file: str, line: int) -> MultiLabelRow:
    """A row of a text and its labels in any order."""
    ordered = tuple(sorted(set(labels)))
    return MultiLabelRow(text=text, label=joined(ordered), file=file, line=line, labels=ordered)


def read_multi_label(source: str, data: DataSpec, *, split: str | None = None) -> list[MultiLabelRow]:
    """All rows, in order; the label column holds a list, or labels with `data.label_separator` between them.

    Texts and labels come back stripped; a row may have no label. Raises DataError naming file and line, also for a
    label that the prediction log could not tell from several or from none.
    """
    check_distinct(source, text_column=data.text_column, label_column=data.label_column)
    problems = problems_of(source, split)
    extras = Extras.of(data)
    columns = Columns(choices=((data.text_column, data.label_column),), required=extras.columns)
    rows = []
    for record in read_records(source, split, columns, problems):
        text = text_of(record, data.text_column, problems)
        labels = _labels(record.line, record.values[data.label_column], data, problems)
        if text is not None and labels is not None:
            row = multi_label_row(text.strip(), labels, problems.source, record.line)
            rows.append(extras.add(row, record, problems))
    problems.raise_if_any()
    if not rows:
        raise DataError(source, None, "expected labelled texts, found no rows.", "Export the data again.")
    return rows


def _labels(line: int, value: object, data: DataSpec, problems: Problems) -> list[str] | None:
    """The labels of a cell, or None after its problem was noted."""
    if data.label_separator and isinstance(value, str):
        value = [part for part in value.split(data.label_separator) if part.strip()]
    elif isinstance(value, str) and value.lstrip().startswith("["):
        try:
            value = json.loads(value)
        except (ValueError, RecursionError) as error:
            problems.add(line, f"expected a list of labels, found {shorten(str(value))!r} ({error}).", "Correct it.")
            return None
    if not isinstance(value, list):
        problems.add(
            line,
            f"expected a list of labels, found {kind_of(value) if not isinstance(value, str) else repr(value[:40])}.",
            "Write a JSON list, or set `label_separator` in [data] to what stands between labels.",
        )
        return None
    names = [label_of(line, entry, problems) for entry in value]
    stripped = [name.strip() for name in names if name is not None]
    told = [is_telling(line, name, "label", data.ignore_labels, problems) for name in stripped]
    return stripped if len(stripped) == len(names) and all(told) else None
