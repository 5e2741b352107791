"""Parquet files, by pyarrow."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from pyarrow import lib, parquet

from contracts.errors import DataError
from training.data.columns import Columns
from training.data.rows import Problems, Record


def read_parquet(path: Path, columns: Columns, problems: Problems) -> Iterator[Record]:
    """Records of a Parquet file; a record's line is its row number from 1."""
    if path.is_dir():
        raise DataError(path, None, "is a folder.", "Name one Parquet file in [data] of the task file.")
    try:
        file = parquet.ParquetFile(path)
        found = list(file.schema_arrow.names)
        chosen = columns.chosen(found)
        if chosen is None:
            columns.note_missing(None, found, problems)
            raise problems.error()
        for column in chosen:
            if found.count(column) > 1:
                problems.add(None, f"the column {column!r} stands {found.count(column)} times.", "Rename all but one.")
        problems.raise_if_any()
        table = file.read(columns=list(chosen))
    except FileNotFoundError as error:
        raise DataError(path, None, "no such file.", "Correct the path in [data] of the task file.") from error
    except (lib.ArrowException, OSError) as error:
        raise DataError(
            path, None, f"expected a Parquet file: {str(error).rstrip('.')}.", "Export the data again."
        ) from error
    cells = [table.column(column) for column in chosen]
    for number, row in enumerate(zip(*cells, strict=True), start=1):
        try:
            values = [value.as_py() for value in row]
        except (ValueError, OverflowError) as error:
            # Parquet promises UTF-8 and holds writers to nothing; times may be none that Python knows.
            problems.add(number, f"holds a value that cannot be read ({error}).", "Export the data again, as UTF-8.")
        else:
            yield Record(number, dict(zip(chosen, values, strict=True)))
