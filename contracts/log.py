"""Append-only log segments: `FOLDER/<YYYY-MM-DD>/<HH>/<writer>.jsonl`, one writer each, hours in UTC.

A reader keeps a cursor (bytes read of each segment), so that it reads every line once, in any number of
runs. A line without its newline is still being written, or was torn by a crash: it is left for later.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import TypeVar

from pydantic import TypeAdapter, ValidationError

from contracts.schema import Contract

RecordT = TypeVar("RecordT", bound=Contract)


def segment_path(folder: Path, writer: str, time: float) -> Path:
    """The segment that a record of this time (seconds since the epoch) belongs to."""
    moment = datetime.fromtimestamp(time, UTC)
    return folder / f"{moment:%Y-%m-%d}" / f"{moment:%H}" / f"{writer}.jsonl"


def segments(folder: Path) -> list[Path]:
    """All segments of a log, oldest hour first."""
    return sorted(folder.glob("*/*/*.jsonl"))


@dataclass
class Cursor:
    """Bytes of each segment (by its path relative to the log's folder) that were read."""

    offsets: dict[str, int] = field(default_factory=dict)
    malformed: int = 0


def read_lines(path: Path, start: int) -> Iterator[tuple[int, bytes]]:
    """The whole lines of a segment from byte `start` on, each with the offset behind it."""
    with path.open("rb") as file:
        file.seek(start)
        for line in file:
            if not line.endswith(b"\n"):
                break
            start += len(line)
            yield start, line


def read_new(folder: Path, model: type[RecordT], cursor: Cursor) -> Iterator[RecordT]:
    """Records appended since the cursor's last use, segment by segment; moves the cursor.

    Malformed lines are passed over and counted in `cursor.malformed`.
    """
    adapter = TypeAdapter(model)
    for path in segments(folder):
        name = str(path.relative_to(folder))
        start = cursor.offsets.get(name, 0)
        if path.stat().st_size <= start:
            continue
        for end, line in read_lines(path, start):
            cursor.offsets[name] = end
            try:
                record = adapter.validate_json(line)
            except ValidationError:
                cursor.malformed += 1
                continue
            yield record
