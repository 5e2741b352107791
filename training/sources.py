"""Labelled texts from a file or the hub, each with the line that it stands on."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from contracts.errors import DataError
from training.delimited import read_delimited
from training.jsonl import read_jsonl
from training.rows import Problems, Record, Row, row_of

__all__ = ["Row", "read_rows"]

_SUFFIXES = (".csv", ".tsv", ".jsonl", ".ndjson", ".parquet")


def read_rows(source: str, *, text_column: str, label_column: str, split: str | None = None) -> list[Row]:
    """All rows of a CSV, TSV, JSON Lines or Parquet file, or of `hf:NAME[:CONFIGURATION][@SPLIT]`, in order.

    `split` is for `hf:` alone. Texts and labels come back as they stand, numbers as labels as strings.
    Raises DataError naming file, line, what was expected and found, and the remedy; up to five problems at once.
    """
    problems = Problems(f"{source}@{split}" if split is not None else source)
    records = _records(source, split, text_column, label_column, problems)
    rows = [row for record in records if (row := row_of(record, problems)) is not None]
    problems.raise_if_any()
    if not rows:
        raise DataError(source, None, "expected labelled texts, found no rows.", "Export the data again.")
    return rows


def _records(
    source: str, split: str | None, text_column: str, label_column: str, problems: Problems
) -> Iterator[Record]:
    if text_column == label_column:
        raise DataError(
            source,
            None,
            f"`text_column` and `label_column` are both {text_column!r}.",
            "Name two columns in [data] of the task file.",
        )
    if source.startswith("hf:"):
        # Seconds to import, and of no use to those who train on files.
        from training.hub_data import read_hub

        return read_hub(source, split, text_column, label_column, problems)
    path = Path(source)
    suffix = path.suffix.lower()
    if suffix in (".csv", ".tsv"):
        return read_delimited(path, text_column, label_column, problems)
    if suffix in (".jsonl", ".ndjson"):
        return read_jsonl(path, text_column, label_column, problems)
    if suffix == ".parquet":
        from training.parquet_data import read_parquet

        return read_parquet(path, text_column, label_column, problems)
    if path.is_dir():
        raise DataError(source, None, "is a folder.", "Name one file in [data] of the task file.")
    raise DataError(
        source,
        None,
        f"expected a file whose name ends in {', '.join(_SUFFIXES)}, found {suffix or 'no suffix'!r}.",
        "Convert it or rename it; a JSON file must hold one object a line and be named .jsonl.",
    )
