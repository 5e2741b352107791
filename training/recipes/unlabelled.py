"""Text of a domain that nobody has labelled: from the prediction log, from a file, or from the training rows."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from operator import attrgetter
from pathlib import Path

from contracts.errors import DataError
from contracts.home import Home
from contracts.log import Cursor, read_new
from contracts.recipes import AdaptSpec
from contracts.records import PredictionRecord
from training.data.encoding import read_utf8


def read_unlabelled(
    adapt: AdaptSpec,
    home: Home,
    task: str,
    *,
    train: Iterable[str],
    held_out: Collection[str],
    snapshot: Iterable[str] | None = None,
) -> list[str]:
    """Texts to adapt to, each once and none of `held_out`, which the release is going to be measured on.

    `snapshot` are the texts of a retrain request, which stand for the log there. Of a log with fewer than `min_texts`
    there are none. Raises DataError for a file that cannot be read or has no text.
    """
    match adapt.source:
        case "train":
            return _chosen(train, held_out)[: adapt.max_texts]
        case "log":
            found = _chosen(_logged(home, task) if snapshot is None else snapshot, held_out)
            return found[-adapt.max_texts :] if len(found) >= adapt.min_texts else []
        case path:
            if not Path(path).is_file():
                there = "a folder" if Path(path).is_dir() else "no such file"
                remedy = "Correct `source` in [adapt] of the task file."
                raise DataError(path, None, f"expected a text file to adapt to, found {there}.", remedy)
            found = _chosen(read_utf8(Path(path)).splitlines(), held_out)
            if not found:
                raise DataError(
                    path,
                    None,
                    "expected one text a line to adapt to, found none but those that the task is measured on.",
                    "Name another file as `source` in [adapt].",
                )
            return found[: adapt.max_texts]


def _chosen(texts: Iterable[str], held_out: Collection[str]) -> list[str]:
    stripped = dict.fromkeys(text.strip() for text in texts)
    return [text for text in stripped if text and text not in held_out]


def _logged(home: Home, task: str) -> Iterable[str]:
    """Oldest first; what was logged as a digest is no text. Shadows read what the stable release read."""
    records = read_new(home.predictions(task), PredictionRecord, Cursor())
    spoken = [record for record in records if record.role != "shadow"]
    return [record.text for record in sorted(spoken, key=attrgetter("time")) if record.text is not None]
