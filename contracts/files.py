"""Writing files so that a crash at any moment leaves either the old content or the new, never a part."""

from __future__ import annotations

import fcntl
import hashlib
import os
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


def sha256_file(path: Path) -> str:
    """Hex sha256 of a file's content."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def sync_folder(folder: Path) -> None:
    """Make renames and creations inside a folder durable."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def sync_file(path: Path) -> None:
    """Make a file's content durable."""
    with path.open("rb") as file:
        os.fsync(file.fileno())


def make_folder(folder: Path) -> None:
    """Create a folder and those above it, durably; one that is there already is left as it is."""
    missing = []
    while not folder.is_dir():
        missing.append(folder)
        folder = folder.parent
    for created in reversed(missing):
        created.mkdir(exist_ok=True)
        # What is in a folder is lost with the machine's power, however durable, while the folder's own entry is not.
        sync_folder(created.parent)


def write_atomic(path: Path, content: bytes) -> None:
    """Replace `path` by `content`: written beside it, made durable, then renamed."""
    make_folder(path.parent)
    staged = path.with_name(f".{path.name}.{uuid.uuid4().hex[:8]}")
    try:
        with staged.open("wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        staged.replace(path)
    finally:
        staged.unlink(missing_ok=True)
    sync_folder(path.parent)


def append_durable(path: Path, content: bytes) -> None:
    """Append whole lines to a file of this writer's own and make them durable before returning.

    A line torn by an earlier crash is ended first, so that it cannot swallow the new one. Where this fails, on a full
    disk for one, nothing of the content is left: whoever is told so sends it again.
    """
    make_folder(path.parent)
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o666)
    try:
        size = os.fstat(descriptor).st_size
        torn = size > 0 and os.pread(descriptor, 1, size - 1) != b"\n"
        try:
            view = memoryview(b"\n" + content if torn else content)
            while view:
                view = view[os.write(descriptor, view) :]
            os.fsync(descriptor)
            if not size:
                # Also where an earlier try made the file and got no further.
                sync_folder(path.parent)
        except OSError:
            os.ftruncate(descriptor, size)
            raise
    finally:
        os.close(descriptor)


@contextmanager
def locked(path: Path) -> Iterator[None]:
    """Hold an exclusive lock, on a file made for it, against other processes of this machine.

    Who holds it may remove the file: those who waited for it make a new one.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    while True:
        with path.open("ab") as file:
            fcntl.flock(file.fileno(), fcntl.LOCK_EX)
            if _is_at(path, file.fileno()):
                yield
                return


def _is_at(path: Path, descriptor: int) -> bool:
    """Whether this open file is the one that has the name now."""
    try:
        return os.path.samestat(path.stat(), os.fstat(descriptor))
    except FileNotFoundError:
        return False


def is_locked(path: Path) -> bool:
    """Whether another open file holds the lock of `locked(path)`; False when the file is absent."""
    try:
        file = path.open("rb")
    except FileNotFoundError:
        return False
    with file:
        try:
            # Shared, so that two who ask at once do not take each other for the holder.
            fcntl.flock(file.fileno(), fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
        return False
