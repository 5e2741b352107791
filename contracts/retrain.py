"""The retrain request: one folder with `request.json` and a frozen snapshot, and the answer `result.json`.

`HOME/requests/<task>/<id>/` holds `request.json`, `labelled.jsonl` ({"text", "label", "time"}, oldest first),
`unlabelled.jsonl` ({"text"}), and, once the job has ended, `result.json`. Training reads nothing else of production.
"""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from pydantic import Field, ValidationError

from contracts.errors import RequestCorruptError
from contracts.files import sha256_file
from contracts.problems import describe_problems
from contracts.release import FileEntry
from contracts.schema import TASK_NAME, VERSION, Contract
from contracts.task import TaskSpec
from contracts.verdict import Verdict

REQUEST_FILE = "request.json"
RESULT_FILE = "result.json"
LOCK_FILE = "job.lock"
LABELLED_FILE = "labelled.jsonl"
UNLABELLED_FILE = "unlabelled.jsonl"


class Snapshot(Contract):
    """What of production the successor may learn from: texts with feedback are labelled, all others are not."""

    labelled_rows: int = Field(ge=0)
    unlabelled_rows: int = Field(ge=0)
    files: dict[str, FileEntry]


class RetrainRequest(Contract):
    """Everything that a training job needs to know."""

    schema_number: Literal[1] = 1
    id: str = Field(pattern=r"^[a-z0-9-]{8,63}$")
    task: str = Field(pattern=TASK_NAME)
    created: float = Field(description="seconds since the epoch, UTC")
    reason: str
    evidence: Verdict | None = None
    parent: str = Field(pattern=VERSION, description="the champion, which the candidate must beat")
    spec: TaskSpec
    snapshot: Snapshot


class JobResult(Contract):
    """How a training job ended. `refused`: it ran well and its artefact failed the gate."""

    schema_number: Literal[1] = 1
    request_id: str
    status: Literal["published", "refused", "failed"]
    release: str | None = Field(None, pattern=VERSION)
    detail: str
    finished: float
    seconds: float = Field(ge=0)


def read_request(folder: Path) -> RetrainRequest:
    """Read a request and check its snapshot's checksums; raises RequestCorruptError."""
    path = folder / REQUEST_FILE
    try:
        request = RetrainRequest.model_validate_json(path.read_bytes())
    except OSError as error:
        raise RequestCorruptError(
            f"{path}: expected a retrain request, found none ({error}). Let the controller make it again."
        ) from error
    except ValidationError as error:
        raise RequestCorruptError(
            f"{path}: malformed: {describe_problems(error)} Let the controller make it again."
        ) from error
    for name, entry in request.snapshot.files.items():
        file = folder / name
        if Path(name).name != name or not file.is_file() or sha256_file(file) != entry.sha256:
            raise RequestCorruptError(
                f"{file}: expected sha256 {entry.sha256[:12]}.., found another content or none. "
                "Remove the request's folder; the controller makes a new one at the next alert."
            )
    return request


def read_result(folder: Path) -> JobResult | None:
    """The job's result, or None when it has not ended (or ended without saying so)."""
    try:
        return JobResult.model_validate_json((folder / RESULT_FILE).read_bytes())
    except (FileNotFoundError, ValidationError):
        return None
