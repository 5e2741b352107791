"""Where a training keeps its checkpoints until its release is published."""

from __future__ import annotations

import hashlib
import shutil
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from contracts.files import is_locked, locked, make_folder
from contracts.home import Home
from contracts.task import TaskSpec
from training.learning.base_model import BaseModel
from training.progress import Progress

_KEPT_SECONDS = 7 * 24 * 3600.0


def training_key(spec: TaskSpec, base: BaseModel, data_fingerprint: str) -> str:
    """The same for two trainings that would take the same steps; the gate and all that comes later is left out."""
    digest = hashlib.sha256(f"{spec.kind} {base.sha256} {data_fingerprint}".encode())
    decisive = spec.model_dump(
        mode="json",
        exclude={"schema_number", "name", "data", "gate", "limits", "monitor", "retrain", "search"},
    )
    digest.update(repr(sorted(decisive.items())).encode())
    return digest.hexdigest()[:16]


@contextmanager
def kept_until_published(home: Home, task: str, key: str, progress: Progress) -> Iterator[Path]:
    """A folder that outlives a failure and a kill, so that the same training finds it again; gone after success.

    A second process that does the same training waits here for the first, and says so. Folders that nobody has come
    back to for seven days are removed.
    """
    folder = home.training(task) / key
    lock = _lock_of(folder)
    if is_locked(lock):
        progress.line("another process is at this very training: waiting until it ends")
    with locked(lock):
        _remove_abandoned(home.training(task), time.time() - _KEPT_SECONDS)
        make_folder(folder)
        yield folder
        shutil.rmtree(folder, ignore_errors=True)
        # While it is still held: removed afterwards, it might be the lock of one who has waited for it.
        lock.unlink(missing_ok=True)


@contextmanager
def thrown_away() -> Iterator[Path]:
    """A folder for what a process writes that does not lead."""
    with tempfile.TemporaryDirectory(prefix="perennial-training-") as folder:
        yield Path(folder)


def _remove_abandoned(parent: Path, before: float) -> None:
    for folder in parent.iterdir():
        if folder.is_dir() and not is_locked(_lock_of(folder)) and _last_change(folder, before) < before:
            shutil.rmtree(folder, ignore_errors=True)
            _lock_of(folder).unlink(missing_ok=True)


def _last_change(folder: Path, otherwise: float) -> float:
    """In seconds since the epoch, `otherwise` where another training has ended meanwhile and removed it."""
    try:
        return folder.stat().st_mtime
    except FileNotFoundError:
        return otherwise


def _lock_of(folder: Path) -> Path:
    return folder.with_name(f"{folder.name}.lock")
