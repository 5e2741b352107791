"""The folder through which workers tell their metrics: in memory, and gone with the process that made it."""

from __future__ import annotations

import fcntl
import os
import shutil
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from contracts.files import is_locked

_SHARED_MEMORY = Path("/dev") / "shm"
_PREFIX = "perennial-metrics-"
_LOCK = "lock"
# Between the making of a folder and its lock there is a moment.
_SETTLED_SECONDS = 60.0


@contextmanager
def metrics_folder() -> Iterator[str]:
    """Its path, for as long as the block lasts. Those that killed processes have left behind are removed first."""
    parent = _memory() or Path(tempfile.gettempdir())
    _remove_left(parent)
    with (
        tempfile.TemporaryDirectory(prefix=_PREFIX, dir=parent) as folder,
        (Path(folder) / _LOCK).open("wb") as lock,
    ):
        fcntl.flock(lock.fileno(), fcntl.LOCK_EX)
        yield folder


def _memory() -> Path | None:
    """Where a full disk does not kill: the files of the metrics are mapped, and a page without a place is SIGBUS."""
    return _SHARED_MEMORY if os.access(_SHARED_MEMORY, os.W_OK | os.X_OK) else None


def _remove_left(parent: Path) -> None:
    for folder in parent.glob(f"{_PREFIX}*"):
        try:
            found = folder.lstat()
            ours = found.st_uid == os.getuid() and time.time() - found.st_mtime > _SETTLED_SECONDS
            if ours and folder.is_dir() and not folder.is_symlink() and not is_locked(folder / _LOCK):
                shutil.rmtree(folder, ignore_errors=True)
        except OSError:
            continue  # another has removed it
