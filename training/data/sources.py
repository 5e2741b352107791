"""Labelled texts from a file or the hub, each with the line that it stands on."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

from contracts.errors import DataError
from training.data.columns import Columns
from training.data.extras import Extras
from training.data.records import problems_of, read_records
from training.data.rows import Problems, Row, label_of, text_of

__all__ = ["PlacedText", "Row", "UsableRows", "read_rows", "read_texts", "read_usable_rows"]

NO_EXTRAS = Extras()


@dataclass(frozen=True, slots=True)
class PlacedText:
    """A text without a label, and where it stands (see Row)."""

    text: str
    file: str
    line: int


@dataclass(frozen=True)
class UsableRows:
    """Rows that can be learned from, and a warning when others were left out."""

    rows: list[Row]
    warnings: tuple[str, ...]


def read_rows(
    source: str,
    *,
    text_column: str,
    label_column: str,
    extras: Extras = NO_EXTRAS,
    split: str | None = None,
    by_option: bool = False,
) -> list[Row]:
    """All rows of a CSV, TSV, JSON, JSON Lines or Parquet file, or of `hf:NAME[:CONFIGURATION][@SPLIT]`, in order.

    `split` is for `hf:` alone. Texts and labels come back as they stand, numbers as labels as strings;
    the columns of `extras` must be there. `by_option`: the columns are named by options, not by a task file.
    Raises DataError naming file, line, what was expected and found, and the remedy; up to five problems at once.
    """
    check_distinct(source, text_column=text_column, label_column=label_column)
    problems = problems_of(source, split)
    columns = Columns(choices=((text_column, label_column),), required=extras.columns)
    if by_option:
        columns = replace(columns, settings="`--text-column` and `--label-column`", place="")
    rows = list(_rows(source, split, columns, extras, problems))
    problems.raise_if_any()
    if not rows:
        raise DataError(source, None, "expected labelled texts, found no rows.", "Export the data again.")
    return rows


def read_usable_rows(source: str, *, text_column: str, label_column: str) -> UsableRows:
    """As `read_rows`, but rows with an unusable text or label are left out and told, and there may be none.

    For what production sent: one text with a control character, which nobody can mend, must not stop a retraining.
    Raises DataError for a source that cannot be read at all.
    """
    problems = Problems(source)
    rows = list(_rows(source, None, Columns(choices=((text_column, label_column),)), NO_EXTRAS, problems))
    warnings = (f"Unusable, so left out: {problems.error()}",) if problems.total else ()
    return UsableRows(rows, warnings)


def read_texts(source: str, *, text_column: str, by_option: bool = False) -> list[PlacedText]:
    """The texts alone, of a file that need not have labels; otherwise as `read_rows`."""
    problems = Problems(source)
    columns = Columns(choices=((text_column,),), settings="`text_column`")
    if by_option:
        columns = replace(columns, settings="`--text-column`", place="")
    texts = [
        PlacedText(text, problems.source, record.line)
        for record in read_records(source, None, columns, problems)
        if (text := text_of(record, text_column, problems)) is not None
    ]
    problems.raise_if_any()
    if not texts:
        raise DataError(source, None, "expected texts, found no rows.", "Export the data again.")
    return texts


def check_distinct(source: str, **columns: str) -> None:
    """Raises when two settings name one column."""
    names = list(columns)
    for number, name in enumerate(names):
        for other in names[:number]:
            if columns[name] == columns[other]:
                raise DataError(
                    source,
                    None,
                    f"`{other}` and `{name}` are both {columns[name]!r}.",
                    "Name two columns in [data] of the task file.",
                )


def _rows(source: str, split: str | None, columns: Columns, extras: Extras, problems: Problems) -> Iterator[Row]:
    text_column, label_column = columns.choices[0]
    for record in read_records(source, split, columns, problems):
        text = text_of(record, text_column, problems)
        label = label_of(record.line, record.values[label_column], problems)
        if text is not None and label is not None:
            yield extras.add(Row(text, label, problems.source, record.line), record, problems)
