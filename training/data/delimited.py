"""CSV and TSV: records with the line that each begins on."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator
from itertools import islice
from pathlib import Path

from training.data.columns import Columns
from training.data.encoding import read_utf8
from training.data.rows import MAX_TEXT_CHARS, Problems, Record

# What spreadsheet programs write under the name of CSV; the first that yields the columns is taken.
_DELIMITERS = {".csv": ",;\t|", ".tsv": "\t"}


def read_delimited(path: Path, columns: Columns, problems: Problems) -> Iterator[Record]:
    """Records of a CSV or TSV file with a header line; quoted fields may hold line ends.

    Notes rows with too many or too few fields, and raises DataError for a header without the columns
    and for quotes that do not close, since nothing behind them can be trusted.
    """
    content = read_utf8(path)
    csv.field_size_limit(MAX_TEXT_CHARS)
    delimiter, header, chosen = _header(path, content, columns, problems)
    positions = {column: header.index(column) for column in chosen}
    for line, fields in islice(_records(content, delimiter, problems), 1, None):
        if len(fields) != len(header):
            problems.add(
                line,
                f"expected {len(header)} fields as in the header, found {len(fields)}.",
                f"Put a field that holds {delimiter!r}, a quote or a line end in double quotes.",
            )
            continue
        yield Record(line, {column: fields[position] for column, position in positions.items()})


def _header(path: Path, content: str, columns: Columns, problems: Problems) -> tuple[str, list[str], tuple[str, ...]]:
    """Delimiter, column names, stripped, and those to read; raises DataError for one that is missing or there twice."""
    headers = {delimiter: _first_record(content, delimiter) for delimiter in _DELIMITERS[path.suffix.lower()]}
    for delimiter, (line, header) in headers.items():
        if (chosen := columns.chosen(header)) is not None:
            for column in chosen:
                if header.count(column) > 1:
                    problems.add(line, f"the column {column!r} stands twice in the header.", "Rename one of them.")
            problems.raise_if_any()
            return delimiter, header, chosen
    line, header = max(headers.values(), key=lambda found: len(found[1]))
    columns.note_missing(line, header, problems)
    raise problems.error()


def _first_record(content: str, delimiter: str) -> tuple[int, list[str]]:
    """Line and fields of the first line that is not blank. Not strict: quotes may not fit a wrong delimiter."""
    reader = csv.reader(io.StringIO(content, newline=""), delimiter=delimiter)
    while True:
        begins = reader.line_num + 1
        try:
            fields = next(reader)
        except (StopIteration, csv.Error):
            return begins, []
        if fields:
            return begins, [field.strip() for field in fields]


def _records(content: str, delimiter: str, problems: Problems) -> Iterator[tuple[int, list[str]]]:
    """(line that the record begins on, its fields), blank lines left out."""
    reader = csv.reader(io.StringIO(content, newline=""), delimiter=delimiter, strict=True)
    while True:
        begins = reader.line_num + 1
        try:
            fields = next(reader)
        except StopIteration:
            return
        except csv.Error as error:
            until = f"; it runs on to line {reader.line_num}" if reader.line_num > begins else ""
            problems.add(
                begins,
                f"a field is longer than {MAX_TEXT_CHARS:,} characters, or its quote is never closed{until}."
                if "field limit" in str(error)
                else f"a quoted field is not closed where it should be ({error}{until}).",
                'Close the quote; a double quote inside a quoted field is written twice ("").',
            )
            raise problems.error() from error
        if fields:
            yield begins, fields
