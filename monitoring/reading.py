"""Reading the log: predictions merged in order of time, and true labels by prediction id.

Nothing that was read is kept between passes, apart from offsets: a pass starts behind the last judged window and reads
the rows of the open window again. So a pass after a kill is a pass like any other.
"""

from __future__ import annotations

import heapq
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import groupby
from pathlib import Path

import numpy as np
from pydantic import ValidationError

from contracts.log import read_lines
from contracts.records import FeedbackRecord, PredictionRecord
from monitoring.window import Row

# Memory for true labels: about 200 bytes each. Predictions are judged for accuracy long before they are this far back.
MOST_LABELS = 200_000

# What no service writes and what would overflow in a window's arithmetic: damage, however well it parses.
LATEST_TIME = 253_402_300_799.0  # the end of the year 9999
LARGEST_NUMBER = 1e9


def segments_from(folder: Path, day: str) -> list[Path]:
    """Segments of the day folders from `day` (YYYY-MM-DD) on, oldest hour first.

    Unlike a glob over the whole log, this does not slow down as the log grows old.
    """
    if not folder.is_dir():
        return []
    days = sorted(entry for entry in folder.iterdir() if entry.name >= day and entry.is_dir())
    return [segment for entry in days for segment in sorted(entry.glob("*/*.jsonl"))]


@dataclass
class Malformed:
    """Lines passed over since the monitor started, each counted once however often it is read."""

    lines: int = 0
    seen: dict[str, int] = field(default_factory=dict)  # segment -> offset up to which lines were counted

    def count(self, segment: str, end: int) -> None:
        """Note the line that ends at this offset."""
        if end > self.seen.get(segment, 0):
            self.seen[segment] = end
            self.lines += 1

    def forget_before(self, day: str) -> None:
        """Let go of segments that are not read any more."""
        self.seen = {segment: end for segment, end in self.seen.items() if segment >= day}


@dataclass(frozen=True)
class Wanted:
    """Which records make rows: those that the stable release answered in its own name, after `after`."""

    task: str
    release: str
    labels: tuple[str, ...]
    dimensions: int
    after: float = 0.0
    others: bool = False  # whether the last label stands for all that are not listed


def read_rows(
    folder: Path, offsets: dict[str, int], from_day: str, wanted: Wanted, malformed: Malformed
) -> Iterator[Row]:
    """Wanted rows behind `offsets`, merged by time within each hour of the log.

    `offsets` is moved to how far each segment was read, unwanted and malformed lines included, at the latest when the
    iterator is exhausted. Each segment's rows come in the order in which they stand there.
    """
    index = {label: number for number, label in enumerate(wanted.labels)}

    def segment_rows(path: Path) -> Iterator[Row]:
        name = str(path.relative_to(folder))
        start = offsets.get(name, 0)
        if path.stat().st_size <= start:
            return
        for end, line in read_lines(path, start):
            begin, start = start, end
            offsets[name] = end
            row = _row(line, wanted, index, name, begin, end)
            if row is None:
                malformed.count(name, end)
            elif isinstance(row, Row):
                yield row

    for _, hour in groupby(segments_from(folder, from_day), key=lambda path: path.parent):
        yield from heapq.merge(*(segment_rows(path) for path in hour), key=lambda row: row.time)


def _row(line: bytes, wanted: Wanted, index: dict[str, int], name: str, begin: int, end: int) -> Row | bool | None:
    """A row; False for a record that is not wanted; None for a line that cannot be read."""
    try:
        record = PredictionRecord.model_validate_json(line)
    except ValidationError:
        return None
    if record.task != wanted.task:
        return None
    if record.release != wanted.release or record.role != "stable" or record.time <= wanted.after:
        return False
    if record.label not in index and not wanted.others:
        return None
    if len(record.projection) != wanted.dimensions or not _plausible(record):
        return None
    return Row(
        time=record.time,
        id=record.id,
        label=index.get(record.label, len(wanted.labels) - 1),
        score=record.score,
        length=record.length,
        unknown_share=record.unknown_share,
        fragmentation=record.fragmentation,
        projection=np.array(record.projection, dtype=np.float32),
        segment=name,
        start=begin,
        end=end,
    )


def _plausible(record: PredictionRecord) -> bool:
    numbers = (record.length, record.fragmentation, *record.projection)
    return record.time <= LATEST_TIME and max(map(abs, numbers)) <= LARGEST_NUMBER


@dataclass
class TrueLabels:
    """The newest true label of each prediction id, for MOST_LABELS ids at most: the longest known go first."""

    by_id: dict[str, str] = field(default_factory=dict)
    offsets: dict[str, int] = field(default_factory=dict)
    malformed: int = 0

    def read(self, folder: Path, task: str, from_day: str) -> bool:
        """Take in what was added to the feedback log; True when there was anything."""
        added = False
        for path in segments_from(folder, from_day):
            name = str(path.relative_to(folder))
            start = self.offsets.get(name, 0)
            if path.stat().st_size <= start:
                continue
            for end, line in read_lines(path, start):
                self.offsets[name] = end
                try:
                    record = FeedbackRecord.model_validate_json(line)
                except ValidationError:
                    self.malformed += 1
                    continue
                if record.task != task:
                    self.malformed += 1
                    continue
                # Taken out first, so that the newest stands last and the oldest is forgotten first.
                self.by_id.pop(record.id, None)
                self.by_id[record.id] = record.label
                added = True
                if len(self.by_id) > MOST_LABELS:
                    del self.by_id[next(iter(self.by_id))]
        self.offsets = {name: offset for name, offset in self.offsets.items() if name >= from_day}
        return added


def settled_offsets(read_to: Mapping[str, int], open_rows: Sequence[Row]) -> dict[str, int]:
    """How far each segment may be left behind for good: up to its first row that is still in the open window."""
    settled = dict(read_to)
    for row in reversed(open_rows):
        settled[row.segment] = min(row.start, settled[row.segment])
    return settled
