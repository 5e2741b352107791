"""From any source to records: which reader reads it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from contracts.errors import DataError
from training.data.columns import Columns
from training.data.delimited import read_delimited
from training.data.json_rows import read_json
from training.data.jsonl import read_jsonl
from training.data.rows import Problems, Record

DELIMITED = (".csv", ".tsv")
SUFFIXES = (*DELIMITED, ".jsonl", ".ndjson", ".parquet", ".json")


def read_records(source: str, split: str | None, columns: Columns, problems: Problems) -> Iterator[Record]:
    """Records of a file by its suffix, or of `hf:NAME[:CONFIGURATION][@SPLIT]`; `split` is for `hf:` alone.

    Rows without the columns, and what is no row, are noted in `problems`. Raises DataError for what cannot be read.
    """
    if source.startswith("hf:"):
        # Seconds to import, and of no use to those who train on files.
        from training.data.hub_data import read_hub

        return read_hub(source, split, columns, problems)
    path = Path(source)
    suffix = path.suffix.lower()
    if suffix in DELIMITED:
        return read_delimited(path, columns, problems)
    if suffix in (".jsonl", ".ndjson"):
        return read_jsonl(path, columns, problems)
    if suffix == ".json":
        return read_json(path, columns, problems)
    if suffix == ".parquet":
        from training.data.parquet_data import read_parquet

        return read_parquet(path, columns, problems)
    raise unknown_suffix(source, SUFFIXES)


def unknown_suffix(source: str, known: tuple[str, ...]) -> DataError:
    """The error for a file whose name does not say what it is."""
    path = Path(source)
    if path.is_dir():
        return DataError(source, None, "is a folder.", "Name one file in [data] of the task file.")
    return DataError(
        source,
        None,
        f"expected a file whose name ends in {', '.join(known)}, found {path.suffix.lower() or 'no suffix'!r}.",
        "Convert it or rename it.",
    )


def refuse_delimited(source: str, what: str, example: str) -> None:
    """Raises DataError for CSV and TSV, whose fields are texts, where a row holds lists; `example` is such a row."""
    suffix = Path(source).suffix.lower()
    if suffix in DELIMITED and not source.startswith("hf:"):
        raise DataError(
            source,
            None,
            f"expected a file with {what} in each row, such as JSONL; found {suffix!r}, whose fields hold no lists.",
            f"Write one JSON object a line: {example}",
        )


def problems_of(source: str, split: str | None) -> Problems:
    """Problems that name the source, and its split where one was asked for."""
    return Problems(f"{source}@{split}" if split is not None else source)
