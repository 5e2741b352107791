"""Retrain requests on disk: freezing one, finding those without an outcome, and what was tried for each."""

from __future__ import annotations

import errno
import json
import re
import shutil
import uuid
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Literal

from pydantic import Field, ValidationError

from contracts.files import append_durable, sha256_file, sync_folder, write_atomic
from contracts.home import Home
from contracts.release import FileEntry
from contracts.retrain import LABELLED_FILE, REQUEST_FILE, UNLABELLED_FILE, RetrainRequest, Snapshot
from contracts.schema import TASK_NAME, Contract
from controller.policy import OpenRequest
from controller.record import OUTCOMES, DecisionRecord
from controller.snapshot import Collected

ATTEMPTS_FILE = "attempts.jsonl"
_STAGING = ".staging-"
_REQUEST_ID = r"[a-z0-9-]{8,63}"


class AttemptEvent(Contract):
    """What happened to one attempt at the job: asked for, running as a process, or ended by a controller's own end."""

    schema_number: Literal[1] = 1
    event: Literal["started", "running", "stopped"]
    time: float = Field(description="seconds since the epoch, UTC")
    attempt: int = Field(ge=1)
    pid: int | None = Field(None, gt=1)


def freeze(home: Home, request: RetrainRequest, collected: Collected) -> bool:
    """Write the request and its snapshot, all or nothing; False when a request of this id is there already.

    Staged beside and renamed, which fails on a folder that holds anything: whoever renames first has made it.
    """
    parent = home.requests(request.task)
    parent.mkdir(parents=True, exist_ok=True)
    staged = parent / f"{_STAGING}{request.id}-{uuid.uuid4().hex[:8]}"
    staged.mkdir()
    try:
        rows = ({"text": row.text, "label": row.label, "time": row.time} for row in collected.labelled)
        _write_lines(staged / LABELLED_FILE, rows)
        _write_lines(staged / UNLABELLED_FILE, ({"text": text} for text in collected.unlabelled))
        snapshot = Snapshot(
            labelled_rows=len(collected.labelled),
            unlabelled_rows=len(collected.unlabelled),
            files={
                name: FileEntry(sha256=sha256_file(staged / name), size=(staged / name).stat().st_size)
                for name in (LABELLED_FILE, UNLABELLED_FILE)
            },
        )
        final = request.model_copy(update={"snapshot": snapshot})
        write_atomic(staged / REQUEST_FILE, final.model_dump_json(indent=2, by_alias=True).encode())
        try:
            staged.rename(parent / request.id)
        except OSError as error:
            if error.errno in (errno.ENOTEMPTY, errno.EEXIST):
                return False
            raise
        sync_folder(parent)
    finally:
        shutil.rmtree(staged, ignore_errors=True)
    return True


def remove_staged(home: Home) -> None:
    """Clear away what a killed controller left half written. Only for the holder of the controller's lock."""
    for left in (home.root / "requests").glob(f"*/{_STAGING}*"):
        shutil.rmtree(left, ignore_errors=True)


def request_folders(home: Home) -> list[Path]:
    """Folders of all requests, by task and id."""
    return sorted(
        path
        for path in (home.root / "requests").glob("*/*")
        if re.fullmatch(_REQUEST_ID, path.name) and re.fullmatch(TASK_NAME, path.parent.name) and path.is_dir()
    )


def open_folders(home: Home, decisions: Iterable[DecisionRecord]) -> list[Path]:
    """Folders of the requests that no decision has ended."""
    ended = {decision.request_id for decision in decisions if decision.action in OUTCOMES}
    return [folder for folder in request_folders(home) if folder.name not in ended]


def open_requests(home: Home, decisions: Iterable[DecisionRecord]) -> tuple[OpenRequest, ...]:
    """The requests that no decision has ended, as the policy sees them."""
    return tuple(OpenRequest(folder.name, folder.parent.name) for folder in open_folders(home, decisions))


def append_attempt(folder: Path, event: AttemptEvent) -> None:
    """Make an event durable before returning."""
    append_durable(folder / ATTEMPTS_FILE, event.model_dump_json().encode() + b"\n")


def read_attempts(folder: Path) -> list[AttemptEvent]:
    """Events in order; a torn line is passed over."""
    try:
        lines = (folder / ATTEMPTS_FILE).read_bytes().splitlines()
    except FileNotFoundError:
        return []
    events = []
    for line in lines:
        try:
            events.append(AttemptEvent.model_validate_json(line))
        except ValidationError:
            continue
    return events


def failed_attempts(events: Sequence[AttemptEvent]) -> int:
    """Attempts that were made and not ended by a controller that stopped; all of them, if no job is alive."""
    stopped = {event.attempt for event in events if event.event == "stopped"}
    return len({event.attempt for event in events if event.event == "started"} - stopped)


def _write_lines(path: Path, rows: Iterable[Mapping[str, object]]) -> None:
    write_atomic(path, "".join(f"{json.dumps(row, ensure_ascii=False)}\n" for row in rows).encode())
