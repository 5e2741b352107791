"""The prediction log's writer: a bounded queue and one thread. A request never waits for the disk."""

from __future__ import annotations

import logging
import os
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import NamedTuple

import numpy as np
import orjson

from contracts.home import Home
from contracts.log import segment_path
from contracts.records import Role
from service.engine.encoding import EncodedText
from service.engine.heads import Floats
from service.engine.model import BatchOutput, LoadedRelease
from service.logs.complaints import Complaints
from service.metrics import ServiceMetrics

logger = logging.getLogger(__name__)

# Well under the 0.2 s within which a record is to reach the file.
_GATHER_SECONDS = 0.1
# Records that are written down between two pauses, and how long these are.
_AT_ONCE = 16
_PAUSE_SECONDS = 0.0003
# Of one waiting record beside its text and its embedding, roughly.
_RECORD_BYTES = 1024
_FLOAT_BYTES = 4


class AnsweredText(NamedTuple):
    """One prediction as it was answered, not yet put into a record."""

    id: str
    time: float  # seconds since the epoch
    release: LoadedRelease
    encoded: EncodedText
    output: BatchOutput
    row: int  # of the output
    latency_ms: float
    role: Role = "stable"


class _Rounded:
    """Logits and projections of the run that the last record came from, rounded for all of its rows at once."""

    def __init__(self) -> None:
        self._of: BatchOutput | None = None
        self._logits = self._projections = np.empty((0, 0), dtype=np.float32)

    def row(self, output: BatchOutput, row: int) -> tuple[Floats, Floats]:
        if output is not self._of:
            self._of = output
            self._logits = np.round(output.logits, 4)
            self._projections = np.round(output.projections, 5)
        return self._logits[row], self._projections[row]


def record_line(answered: AnsweredText, rounded: _Rounded | None = None) -> bytes:
    """A `contracts.records.PredictionRecord` as one line of JSON; the writer never builds what it would not read."""
    release, encoded, output, row = answered.release, answered.encoded, answered.output, answered.row
    logits, projection = (rounded or _Rounded()).row(output, row)
    record = {
        "schema_number": 1,
        "id": answered.id,
        "time": answered.time,
        "task": release.task,
        "release": release.version,
        "role": answered.role,
        "length": encoded.length,
        "unknown_share": round(encoded.unknown_share, 5),
        "fragmentation": round(encoded.fragmentation, 5),
        "label": release.label(output, row),
        "score": round(float(output.scores[row]), 6),
        "logits": logits,
        "projection": projection,
        "latency_ms": round(answered.latency_ms, 3),
    }
    if release.manifest.spec.limits.log_text:
        record["text"] = encoded.text
    else:
        record["text_sha256"] = sha256(encoded.text.encode()).hexdigest()
    return orjson.dumps(record, option=orjson.OPT_APPEND_NEWLINE | orjson.OPT_SERIALIZE_NUMPY)


@dataclass
class _Segment:
    """An open file of one task and hour."""

    path: Path
    descriptor: int
    size: int  # bytes of whole lines


class PredictionLog:
    """Writes each record to its hour's segment, under a writer name of its own, within 0.2 s."""

    def __init__(self, home: Home, writer: str, bound_bytes: int, metrics: ServiceMetrics) -> None:
        self._home = home
        self._writer = writer
        self._bound = bound_bytes
        self._metrics = metrics
        self._waiting: deque[AnsweredText] = deque()
        self._waiting_bytes = 0
        self._lock = threading.Lock()
        self._wake = threading.Event()
        self._stopping = threading.Event()
        self._segments: dict[str, _Segment] = {}
        self._complaints = Complaints("The prediction log", "records were lost (predictions go on)")
        self._thread = threading.Thread(target=self._run, name="prediction-log", daemon=True)

    def start(self) -> None:
        """Start the writing thread."""
        self._thread.start()

    def problem(self, task: str) -> str | None:
        """What keeps this task's predictions from being logged, if anything does."""
        return self._complaints.problem(task)

    def put(self, answered: Sequence[AnsweredText]) -> None:
        """Hand over one request's records; where they do not fit into the bound they are dropped, counted and told.

        Never waits for the disk.
        """
        release = answered[0].release
        each = _RECORD_BYTES + _FLOAT_BYTES * release.hidden
        size = sum(each + len(one.encoded.text) for one in answered)
        with self._lock:
            stopping = self._stopping.is_set()
            # Records larger than the whole bound are still taken when nothing else waits.
            fits = not stopping and (not self._waiting or self._waiting_bytes + size <= self._bound)
            if fits:
                self._waiting.extend(answered)
                self._waiting_bytes += size
        if fits:
            self._wake.set()
            return
        self._metrics.log_dropped.labels(release.task, "queue_full").inc(len(answered))
        if not stopping:
            problem = (
                f"The prediction log of task {release.task} is behind: more than PERENNIAL_LOG_QUEUE_BYTES "
                f"({self._bound}) would wait for the disk. If the disk hangs, mend it; if it is slow, allow more."
            )
            self._complaints.tell(release.task, problem, len(answered))

    def stop(self, timeout: float) -> None:
        """Write what waits, for `timeout` seconds at the most, and end the thread."""
        self._stopping.set()
        self._wake.set()
        self._thread.join(timeout)
        if self._thread.is_alive():
            logger.error("The prediction log could not be flushed within %.1f s; what waited is lost.", timeout)

    def _run(self) -> None:
        while not self._stopping.is_set():
            self._wake.wait()
            self._stopping.wait(_GATHER_SECONDS)
            self._write_waiting()
        self._write_waiting()
        for segment in self._segments.values():
            os.close(segment.descriptor)

    def _write_waiting(self) -> None:
        self._wake.clear()
        with self._lock:
            taken, self._waiting, self._waiting_bytes = self._waiting, deque(), 0
        groups: dict[tuple[str, int], list[AnsweredText]] = {}
        for one in taken:
            groups.setdefault((one.release.task, int(one.time) // 3600), []).append(one)
        for (task, _), group in groups.items():
            path = segment_path(self._home.predictions(task), self._writer, group[0].time)
            try:
                self._append(task, path, self._lines(group))
            except OSError as error:
                self._metrics.log_dropped.labels(task, "write_failed").inc(len(group))
                problem = f"The prediction log of task {task} cannot be written ({path}: {error.strerror})."
                self._complaints.tell(task, f"{problem} Free space or mend the folder.", len(group))
            except Exception:
                # The thread goes on whatever is wrong with these records.
                self._metrics.log_dropped.labels(task, "write_failed").inc(len(group))
                logger.exception("%d prediction records of task %s could not be written.", len(group), task)
            else:
                self._metrics.log_written.labels(task).inc(len(group))
                self._complaints.over(task)

    def _lines(self, group: Sequence[AnsweredText]) -> bytes:
        """All in one piece would keep callers waiting for the interpreter, some of them for milliseconds."""
        rounded = _Rounded()
        lines: list[bytes] = []
        for place, one in enumerate(group, start=1):
            lines.append(record_line(one, rounded))
            if place % _AT_ONCE == 0 and not self._stopping.is_set():
                time.sleep(_PAUSE_SECONDS)
        return b"".join(lines)

    def _append(self, task: str, path: Path, lines: bytes) -> None:
        segment = self._segments.get(task)
        # A file that somebody removed would take records until the hour is over, and nobody could read them.
        if segment is None or segment.path != path or not os.fstat(segment.descriptor).st_nlink:
            segment = self._open(task, path)
        view = memoryview(lines)
        try:
            while view:
                view = view[os.write(segment.descriptor, view) :]
        except OSError:
            # A torn line would swallow the next record: cut back to whole lines, which a full disk still allows.
            os.ftruncate(segment.descriptor, segment.size)
            raise
        segment.size += len(lines)

    def _open(self, task: str, path: Path) -> _Segment:
        old = self._segments.pop(task, None)
        if old is not None:
            os.close(old.descriptor)
        path.parent.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
        segment = _Segment(path, descriptor, os.fstat(descriptor).st_size)
        self._segments[task] = segment
        return segment


def writer_name(host: str, process: int, random_part: Callable[[], str]) -> str:
    """A segment name that no other writer, past or present, has."""
    kept = "".join(character if character.isalnum() else "-" for character in host)[:40]
    return f"{kept}-{process}-{random_part()}"
