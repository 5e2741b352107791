"""Labelled texts from a file or the hub, each with the line that it stands on."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from contracts.errors import DataError
from training.data.delimited import read_delimited
from training.data.jsonl import read_jsonl
from training.data.rows import Problems, Record, Row, row_of, text_of

__all__ = ["Row", "UsableRows", "read_rows", "read_texts", "read_usable_rows"]

_SUFFIXES = (".csv", ".tsv", ".jsonl", ".ndjson", ".parquet")


@dataclass(frozen=True)
class UsableRows:
    """Rows that can be learned from, and a warning when others were left out."""

    rows: list[Row]
    warnings: tuple[str, ...]


def read_rows(source: str, *, text_column: str, label_column: str, split: str | None = None) -> list[Row]:
    """All rows of a CSV, TSV, JSON Lines or Parquet file, or of `hf:NAME[:CONFIGURATION][@SPLIT]`, in order.

    `split` is for `hf:` alone. Texts and labels come back as they stand, numbers as labels as strings.
    Raises DataError naming file, line, what was expected and found, and the remedy; up to five problems at once.
    """
    if text_column == label_column:
        raise DataError(
            source,
            None,
            f"`text_column` and `label_column` are both {text_column!r}.",
            "Name two columns in [data] of the task file.",
        )
    problems = Problems(f"{source}@{split}" if split is not None else source)
    records = _records(source, split, text_column, label_column, problems)
    rows = [row for record in records if (row := row_of(record, problems)) is not None]
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
    records = _records(source, None, text_column, label_column, problems)
    rows = [row for record in records if (row := row_of(record, problems)) is not None]
    warnings = (f"Unusable, so left out: {problems.error()}",) if problems.total else ()
    return UsableRows(rows, warnings)


def read_texts(source: str, *, text_column: str) -> list[str]:
    """The texts alone, of a file that need not have labels; otherwise as `read_rows`."""
    problems = Problems(source)
    records = _records(source, None, text_column, text_column, problems)
    texts = [text for record in records if (text := text_of(record, problems)) is not None]
    problems.raise_if_any()
    if not texts:
        raise DataError(source, None, "expected texts, found no rows.", "Export the data again.")
    return texts


def _records(
    source: str, split: str | None, text_column: str, label_column: str, problems: Problems
) -> Iterator[Record]:
    if source.startswith("hf:"):
        # Seconds to import, and of no use to those who train on files.
        from training.data.hub_data import read_hub

        return read_hub(source, split, text_column, label_column, problems)
    path = Path(source)
    suffix = path.suffix.lower()
    if suffix in (".csv", ".tsv"):
        return read_delimited(path, text_column, label_column, problems)
    if suffix in (".jsonl", ".ndjson"):
        return read_jsonl(path, text_column, label_column, problems)
    if suffix == ".parquet":
        from training.data.parquet_data import read_parquet

        return read_parquet(path, text_column, label_column, problems)
    if path.is_dir():
        raise DataError(source, None, "is a folder.", "Name one file in [data] of the task file.")
    raise DataError(
        source,
        None,
        f"expected a file whose name ends in {', '.join(_SUFFIXES)}, found {suffix or 'no suffix'!r}.",
        "Convert it or rename it; a JSON file must hold one object a line and be named .jsonl.",
    )
