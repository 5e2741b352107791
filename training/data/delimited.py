"""CSV and TSV: records with the line that each begins on."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator
from itertools import islice
from pathlib import Path

from training.data.encoding import read_utf8
from training.data.rows import MAX_TEXT_CHARS, Problems, Record, missing_column

# What spreadsheet programs write under the name of CSV; the first that yields both columns is taken.
_DELIMITERS = {".csv": ",;\t|", ".tsv": "\t"}


def read_delimited(path: Path, text_column: str, label_column: str, problems: Problems) -> Iterator[Record]:
    """Records of a CSV or TSV file with a header line; quoted fields may hold line ends.

    Notes rows with too many or too few fields, and raises DataError for a header without the columns
    and for quotes that do not close, since nothing behind them can be trusted.
    """
    content = read_utf8(path)
    csv.field_size_limit(MAX_TEXT_CHARS)
    delimiter, header = _header(path, content, text_column, label_column, problems)
    positions = [header.index(text_column), header.index(label_column)]
    for line, fields in islice(_records(content, delimiter, problems), 1, None):
        if len(fields) != len(header):
            problems.add(
                line,
                f"expected {len(header)} fields as in the header, found {len(fields)}.",
                f"Put a field that holds {delimiter!r}, a quote or a line end in double quotes.",
            )
            continue
        text, label = (fields[position] for position in positions)
        yield Record(line, text, label)


def _header(path: Path, content: str, text_column: str, label_column: str, problems: Problems) -> tuple[str, list[str]]:
    """The delimiter and the column names, stripped; raises DataError when a column is missing or there twice."""
    headers = {delimiter: _first_record(content, delimiter) for delimiter in _DELIMITERS[path.suffix.lower()]}
    for delimiter, (line, header) in headers.items():
        if text_column in header and label_column in header:
            for column in (text_column, label_column):
                if header.count(column) > 1:
                    problems.add(line, f"the column {column!r} stands twice in the header.", "Rename one of them.")
            problems.raise_if_any()
            return delimiter, header
    line, header = max(headers.values(), key=lambda found: len(found[1]))
    for column in (text_column, label_column):
        if column not in header:
            problems.add(line, *missing_column(column, header))
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
