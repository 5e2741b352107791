"""Production's records as a successor may learn from them: predictions joined with their feedback."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from contracts.home import Home
from contracts.log import Cursor, read_new, segments
from contracts.records import FeedbackRecord, PredictionRecord

MAX_LABELLED = 50_000
MAX_UNLABELLED = 20_000


@dataclass(frozen=True)
class LabelledText:
    """A text of production with its true label."""

    text: str
    label: str
    time: float  # of the prediction, seconds since the epoch


@dataclass(frozen=True)
class Collected:
    """Rows are oldest first, each text once. The counts say what was left out of the labelled rows, and why."""

    labelled: tuple[LabelledText, ...]
    unlabelled: tuple[str, ...]
    digests: int = 0
    unknown_labels: int = 0
    repeated: int = 0
    malformed: int = 0

    def left_out(self) -> str:
        """One sentence about the labelled records that cannot be used; empty when there are none."""
        parts = [
            f"{count} {why}"
            for count, why in (
                (self.digests, "hold only a digest of their text (limits.log_text is false)"),
                (self.unknown_labels, "have a label that the release does not know"),
                (self.repeated, "repeat a text"),
                (self.malformed, "are malformed lines"),
            )
            if count
        ]
        return f"Records left out: {'; '.join(parts)}." if parts else ""


@dataclass(frozen=True, slots=True)
class _Answered:
    time: float
    text: str | None  # None where the log holds a digest


def count_feedback(home: Home, task: str, since: float) -> int:
    """Predictions with feedback since a time: an upper bound, cheaply had, of what `collect` would find labelled."""
    return len(_latest_feedback(home, task, since, Cursor()))


def collect(home: Home, task: str, since: float, labels: tuple[str, ...]) -> Collected:
    """Join the log's predictions since a time (seconds since the epoch) with their feedback.

    The latest feedback of a prediction counts, of several predictions with one id (callers may choose it) the latest,
    and of a text that was sent several times the latest label. At most the newest 50,000 labelled and 20,000 unlabelled
    texts are kept.
    """
    feedback_cursor, cursor = Cursor(), _from_hour(home.predictions(task), since)
    feedback = _latest_feedback(home, task, since, feedback_cursor)
    known = frozenset(labels)
    labelled: dict[str, LabelledText] = {}
    unlabelled: deque[str] = deque(maxlen=2 * MAX_UNLABELLED)
    digests = unknown_labels = repeated = 0
    answered: dict[str, _Answered] = {}
    for record in read_new(home.predictions(task), PredictionRecord, cursor):
        # Shadows answer the same request as the stable release: their records would count its text twice.
        if record.time < since or record.role == "shadow":
            continue
        if record.id not in feedback:
            if record.text is not None:
                unlabelled.append(record.text)
            continue
        earlier = answered.get(record.id)
        if earlier is None or record.time >= earlier.time:
            answered[record.id] = _Answered(record.time, record.text)
    for identity, found in sorted(answered.items(), key=lambda item: item[1].time):
        label = feedback[identity].label
        if found.text is None:
            digests += 1
        elif label not in known:
            unknown_labels += 1
        else:
            key = _same_text(found.text)
            # Taken out first, so that the row moves to where its latest label belongs.
            repeated += labelled.pop(key, None) is not None
            labelled[key] = LabelledText(found.text, label, found.time)
    return Collected(
        labelled=tuple(labelled.values())[-MAX_LABELLED:],
        unlabelled=_newest_once(unlabelled, frozenset(labelled)),
        digests=digests,
        unknown_labels=unknown_labels,
        repeated=repeated,
        malformed=cursor.malformed + feedback_cursor.malformed,
    )


def _latest_feedback(home: Home, task: str, since: float, cursor: Cursor) -> dict[str, FeedbackRecord]:
    folder = home.feedback(task)
    cursor.offsets = _from_hour(folder, since).offsets
    latest: dict[str, FeedbackRecord] = {}
    for record in read_new(folder, FeedbackRecord, cursor):
        earlier = latest.get(record.id)
        if record.time >= since and (earlier is None or record.time >= earlier.time):
            latest[record.id] = record
    return latest


def _from_hour(folder: Path, since: float) -> Cursor:
    """A cursor that stands behind every segment of an hour that ended before `since`."""
    first = datetime.fromtimestamp(since, UTC) - timedelta(hours=1)
    hour = f"{first:%Y-%m-%d}/{first:%H}"
    passed = [path for path in segments(folder) if str(path.relative_to(folder).parent) < hour]
    return Cursor({str(path.relative_to(folder)): path.stat().st_size for path in passed})


def _same_text(text: str) -> str:
    return " ".join(text.split())


def _newest_once(texts: deque[str], labelled: frozenset[str]) -> tuple[str, ...]:
    kept: dict[str, str] = {}
    for text in reversed(texts):
        key = _same_text(text)
        if key not in labelled and key not in kept:
            kept[key] = text
            if len(kept) == MAX_UNLABELLED:
                break
    return tuple(reversed(kept.values()))
