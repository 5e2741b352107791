"""Parquet files, by pyarrow."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from pyarrow import lib, parquet

from contracts.errors import DataError
from training.rows import Problems, Record, missing_column


def read_parquet(path: Path, text_column: str, label_column: str, problems: Problems) -> Iterator[Record]:
    """Records of a Parquet file; a record's line is its row number from 1."""
    if path.is_dir():
        raise DataError(path, None, "is a folder.", "Name one Parquet file in [data] of the task file.")
    try:
        file = parquet.ParquetFile(path)
        found = list(file.schema_arrow.names)
        for column in dict.fromkeys((text_column, label_column)):
            if column not in found:
                problems.add(None, *missing_column(column, found))
        problems.raise_if_any()
        table = file.read(columns=[text_column, label_column])
    except FileNotFoundError as error:
        raise DataError(path, None, "no such file.", "Correct the path in [data] of the task file.") from error
    except (lib.ArrowException, OSError) as error:
        raise DataError(path, None, f"expected a Parquet file: {error}.", "Export the data again.") from error
    columns = (table.column(text_column).to_pylist(), table.column(label_column).to_pylist())
    for number, (text, label) in enumerate(zip(*columns, strict=True), start=1):
        yield Record(number, text, label)
