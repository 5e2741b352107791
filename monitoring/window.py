"""Forming windows: tumbling, by count, so that each record is in at most one window.

A window is full at `size` rows. A task with little traffic need not wait for that: a window of at least
`least` rows is closed early once the stream has gone quiet, or once its first row is a day old. A closed window
is settled; what comes later belongs to the next one.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice

import numpy as np

from contracts.reference import Floats, Integers

# With a trickle of traffic a window would stay open for weeks; one verdict a day is the least that is useful.
LONGEST_SECONDS = 24 * 3600.0


@dataclass(frozen=True, slots=True)
class Row:
    """One prediction, as far as the monitor needs it, and where in the log it stands."""

    time: float
    id: str
    label: int  # index into the release's labels
    score: float
    length: int
    unknown_share: float
    fragmentation: float
    projection: Floats
    segment: str
    start: int  # bytes in the segment before this row
    end: int  # bytes up to and with this row


@dataclass(frozen=True)
class Sample:
    """n texts as columns: what a detector compares, of a window as of a reference."""

    labels: Integers  # [n]
    scores: Floats  # [n]
    lengths: Integers  # [n]
    unknown_shares: Floats  # [n]
    fragmentation: Floats  # [n]
    projections: Floats  # [n, k]

    @property
    def rows(self) -> int:
        """Texts."""
        return int(self.labels.shape[0])


def columns(rows: Sequence[Row]) -> Sample:
    """The rows of a window (at least one) as columns."""
    return Sample(
        labels=np.array([row.label for row in rows], dtype=np.int64),
        scores=np.array([row.score for row in rows], dtype=np.float32),
        lengths=np.array([row.length for row in rows], dtype=np.int64),
        unknown_shares=np.array([row.unknown_share for row in rows], dtype=np.float32),
        fragmentation=np.array([row.fragmentation for row in rows], dtype=np.float32),
        projections=np.stack([row.projection for row in rows]).astype(np.float32),
    )


@dataclass(frozen=True)
class OpenWindow:
    """How far the window that is being filled has come."""

    rows: int
    first: float  # time of its earliest record
    last: float  # time of its latest record

    @classmethod
    def of(cls, rows: Sequence[Row]) -> OpenWindow:
        """Of the rows so far, which may be none."""
        times = [row.time for row in rows]
        return cls(len(times), min(times, default=0.0), max(times, default=0.0))


def closes_early(window: OpenWindow, least: int, now: float, idle_seconds: float) -> bool:
    """Whether a window that is not full is judged all the same."""
    if window.rows < least:
        return False
    return now - window.last >= idle_seconds or now - window.first >= LONGEST_SECONDS


def tumble(rows: Iterable[Row], size: int) -> Iterator[list[Row]]:
    """Rows cut into windows of `size`, in the order given; the last one may be smaller."""
    remaining = iter(rows)
    while window := list(islice(remaining, size)):
        yield window


def window_id(release: str, number: int) -> str:
    """The number counts from 1 within a release, and goes on where it stopped when a rollback brings it back."""
    return f"{release}-{number:06d}"
