"""The monitor's verdict on one window of a task's traffic: the evidence that an alert stands on.

`HOME/monitoring/<task>/latest.json` is the newest, `verdicts.jsonl` all of them in order.
"""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from pydantic import Field, ValidationError

from contracts.home import Home
from contracts.schema import TASK_NAME, VERSION, Contract

VerdictWord = Literal["ok", "drift", "insufficient"]


class Detector(Contract):
    """What one test found. Every detector says the same words."""

    name: str
    score: float = Field(description="the statistic; larger = more drift")
    p_value: float = Field(ge=0, le=1)
    adjusted_p_value: float = Field(ge=0, le=1, description="Holm-corrected over the window's detectors")
    effect: float = Field(ge=0, description="size of the difference in the detector's own unit")
    verdict: VerdictWord


class Accuracy(Contract):
    """How well the model does in this window, where it can be told."""

    reference: float = Field(ge=0, le=1, description="on the release's held-out texts")
    labelled: int = Field(ge=0, description="predictions of the window with feedback")
    measured: float | None = Field(None, ge=0, le=1, description="share of those that were right")
    measured_low: float | None = Field(None, ge=0, le=1, description="95 % Wilson interval")
    measured_high: float | None = Field(None, ge=0, le=1)
    estimated: float | None = Field(None, ge=0, le=1, description="label-free, by average thresholded confidence")


class Verdict(Contract):
    """One window, judged."""

    schema_number: Literal[1] = 1
    task: str = Field(pattern=TASK_NAME)
    release: str = Field(pattern=VERSION)
    window_id: str = Field(description="release and number, such as 0001-000007; unique in a task")
    started: float = Field(description="time of the first record, seconds since the epoch, UTC")
    ended: float
    evaluated: float
    rows: int = Field(ge=0)
    verdict: VerdictWord
    run: int = Field(ge=0, description="drifted windows in a row, this one included")
    run_started: float | None = Field(None, description="time of the first record of the run; None without one")
    alerting: bool = Field(description="the run is long enough: an alert is raised")
    alert_started: float | None = Field(None, description="when the present alert began; None when not alerting")
    detectors: tuple[Detector, ...] = ()
    accuracy: Accuracy | None = None
    malformed: int = Field(0, ge=0, description="log lines passed over since the monitor started")
    report: str | None = Field(None, description="the HTML report, relative to PERENNIAL_HOME")


def latest_path(home: Home, task: str) -> Path:
    """Where the newest verdict lies."""
    return home.monitoring(task) / "latest.json"


def read_latest(home: Home, task: str) -> Verdict | None:
    """The newest verdict, or None when there is none or it is malformed."""
    try:
        return Verdict.model_validate_json(latest_path(home, task).read_bytes())
    except (FileNotFoundError, NotADirectoryError, ValidationError):
        return None
