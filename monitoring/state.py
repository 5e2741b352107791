"""Where the monitor stands with a task: one file, replaced whole, so that a kill at any moment loses nothing.

A judged window is committed by this file alone: it holds the verdict together with the log offsets behind the window's
rows. `verdicts.jsonl` and `latest.json` follow from it and are mended at the next pass if a kill came between.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field, ValidationError

from contracts.files import append_durable, write_atomic
from contracts.home import Home
from contracts.schema import Contract
from contracts.verdict import Verdict, latest_path

# Accuracy of a run of windows is told from its newest rows; a share of 5000 is known to 1.4 points at worst.
MOST_ANSWERS = 5000
_TAIL_BYTES = 1 << 20


class JudgedAnswer(Contract):
    """One prediction of a judged window whose true label may still come."""

    id: str
    time: float
    label: str
    score: float


class MonitorState(Contract):
    """What the next pass starts from."""

    schema_number: Literal[1] = 1
    offsets: dict[str, Annotated[int, Field(ge=0)]] = Field(
        default_factory=dict, description="bytes of each log segment that are settled"
    )
    from_day: str = Field("", description="day folders before this one are settled; none are when empty")
    judged_until: float = Field(0.0, description="records up to this time are settled, whatever the offsets say")
    numbers: dict[str, int] = Field(default_factory=dict, description="windows judged, by release")
    verdict: Verdict | None = Field(None, description="of the newest judged window")
    answers: tuple[JudgedAnswer, ...] = Field((), description="of the run of drifted windows, or of the last window")
    alert: Verdict | None = Field(None, description="the verdict that was last posted as firing and is not resolved")


def state_path(home: Home, task: str) -> Path:
    """Where the state lies."""
    return home.monitoring(task) / "state.json"


def verdicts_path(home: Home, task: str) -> Path:
    """All verdicts on full windows, in order."""
    return home.monitoring(task) / "verdicts.jsonl"


def load_state(home: Home, task: str) -> MonitorState:
    """The saved state; where there is none or it is damaged, one rebuilt from `verdicts.jsonl`.

    A rebuilt state knows the time up to which the log was judged, so no record is judged again; a record that came
    late to the log may then be passed over.
    """
    try:
        return MonitorState.model_validate_json(state_path(home, task).read_bytes())
    except (FileNotFoundError, ValidationError):
        verdicts = read_verdicts(home, task)
    if not verdicts:
        return MonitorState()
    numbers: dict[str, int] = {}
    for verdict in verdicts:
        number = verdict.window_id.rpartition("-")[2]
        if number.isdecimal():
            numbers[verdict.release] = max(int(number), numbers.get(verdict.release, 0))
    newest = verdicts[-1]
    return MonitorState(
        judged_until=max(verdict.ended for verdict in verdicts), numbers=numbers, verdict=newest,
        alert=newest if newest.alerting else None,
    )  # fmt: skip


def save_state(home: Home, task: str, state: MonitorState) -> None:
    """Commit."""
    write_atomic(state_path(home, task), state.model_dump_json().encode())


def publish_verdict(home: Home, task: str, verdict: Verdict) -> None:
    """Append a committed verdict to `verdicts.jsonl`, unless it stands there already, and make it the latest."""
    tail = read_verdicts(home, task, most_bytes=_TAIL_BYTES)
    if not any(known.window_id == verdict.window_id for known in tail[-3:]):
        append_durable(verdicts_path(home, task), verdict.model_dump_json().encode() + b"\n")
        write_latest(home, task, verdict)


def write_latest(home: Home, task: str, verdict: Verdict) -> None:
    """Replace `latest.json`."""
    write_atomic(latest_path(home, task), verdict.model_dump_json(indent=2).encode())


def read_verdicts(home: Home, task: str, most_bytes: int | None = None) -> list[Verdict]:
    """Verdicts in order, damaged lines left out; with `most_bytes` only those in the file's last bytes."""
    path = verdicts_path(home, task)
    try:
        with path.open("rb") as file:
            if most_bytes is not None:
                file.seek(max(0, path.stat().st_size - most_bytes))
            lines = file.read().splitlines()
    except FileNotFoundError:
        return []
    found = []
    for line in lines:
        try:
            found.append(Verdict.model_validate_json(line))
        except ValidationError:
            continue
    return found


def known_offsets(offsets: Mapping[str, int], from_day: str) -> dict[str, int]:
    """Offsets without the segments of days that are settled: the state does not grow with the log."""
    return {segment: offset for segment, offset in offsets.items() if segment >= from_day}
