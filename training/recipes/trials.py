"""What a study has tried, free of the library that ran it."""

from __future__ import annotations

import json
import logging
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Literal

from contracts.files import write_atomic

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Tried:
    """One trial that has ended. `value` is its best validation score, 0..1; of one that was stopped, its last."""

    number: int
    state: Literal["complete", "pruned", "failed"]
    value: float | None
    settings: Mapping[str, float]
    scores: tuple[float, ...]  # validation's, by epoch
    seconds: float
    error: str | None = None


def best_of(tried: Sequence[Tried]) -> Tried | None:
    """The complete trial of the highest value, the earliest of several; None while there is none."""
    complete = [one for one in tried if one.state == "complete" and one.value is not None]
    return max(complete, key=lambda one: (one.value or 0.0, -one.number), default=None)


def write_trials(path: Path, score: str, tried: Sequence[Tried]) -> None:
    """As JSON, for reports: reading them there needs no library for searching."""
    content = {"score": score, "trials": [asdict(one) for one in tried]}
    write_atomic(path, (json.dumps(content, indent=2) + "\n").encode())


def read_trials(path: Path) -> tuple[str, list[Tried]] | None:
    """The score's name and the trials; None where no study was written, or not as `write_trials` does."""
    try:
        content = json.loads(path.read_bytes())
        trials = [Tried(**{**one, "scores": tuple(one["scores"])}) for one in content["trials"]]
        return str(content["score"]), trials
    except FileNotFoundError:
        return None
    except (OSError, ValueError, KeyError, TypeError) as error:
        logger.warning("%s cannot be read (%s): the report goes without the study", path, error)
        return None
