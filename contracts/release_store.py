"""Publishing, finding and verifying releases in a home."""

from __future__ import annotations

import hashlib
import re
import shutil
import uuid
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from pydantic import ValidationError

from contracts.errors import ReleaseCorruptError, ReleaseNotFoundError
from contracts.files import is_locked, locked, sha256_file, sync_file, sync_folder, write_atomic
from contracts.home import Home
from contracts.problems import describe_problems
from contracts.release import MANIFEST_FILE, REQUIRED_FILES, FileEntry, Manifest
from contracts.schema import VERSION

_STAGING = ".staging-"


def list_versions(home: Home, task: str) -> list[str]:
    """Published versions, oldest first. A folder without a manifest is not published."""
    folder = home.releases(task)
    if not folder.is_dir():
        return []
    names = [e.name for e in folder.iterdir() if re.match(VERSION, e.name) and (e / MANIFEST_FILE).is_file()]
    return sorted(names, key=int)


def read_manifest(home: Home, task: str, version: str, *, sha256: str | None = None) -> Manifest:
    """The manifest alone; raises ReleaseNotFoundError or ReleaseCorruptError. Files are not hashed.

    `sha256` is what the manifest itself must have: rollout.json knows it of the stable release.
    """
    path = home.release(task, version) / MANIFEST_FILE
    try:
        content = path.read_bytes()
        manifest = Manifest.model_validate_json(content)
    except (FileNotFoundError, NotADirectoryError) as error:
        raise ReleaseNotFoundError(task, version, list_versions(home, task)) from error
    except OSError as error:
        raise ReleaseCorruptError(task, version, f"{MANIFEST_FILE} cannot be read ({error.strerror}).") from error
    except ValidationError as error:
        raise ReleaseCorruptError(task, version, f"{MANIFEST_FILE} is malformed: {describe_problems(error)}") from error
    if (manifest.task, manifest.version) != (task, version):
        raise ReleaseCorruptError(task, version, f"its manifest says it is {manifest.task}/{manifest.version}.")
    found = hashlib.sha256(content).hexdigest()
    if sha256 is not None and found != sha256:
        raise ReleaseCorruptError(
            task, version, f"{MANIFEST_FILE} has sha256 {found[:12]}.., rollout.json says {sha256[:12]}..."
        )
    return manifest


def verify_release(home: Home, task: str, version: str, *, sha256: str | None = None) -> Manifest:
    """The manifest of a release whose every file has the size and sha256 that it names.

    `sha256` is that of the manifest, where it is known. Raises ReleaseNotFoundError or ReleaseCorruptError, naming the
    first file that differs.
    """
    manifest = read_manifest(home, task, version, sha256=sha256)
    folder = home.release(task, version)
    for name in REQUIRED_FILES:
        if name not in manifest.files:
            raise ReleaseCorruptError(task, version, f"its manifest does not list {name}.")
    for name, entry in manifest.files.items():
        path = folder / name
        if Path(name).name != name or not path.is_file() or path.is_symlink():
            raise ReleaseCorruptError(task, version, f"{name} is listed in the manifest and is not a file there.")
        size = path.stat().st_size
        if size != entry.size:
            raise ReleaseCorruptError(task, version, f"{name} has {size} bytes, the manifest says {entry.size}.")
        digest = sha256_file(path)
        if digest != entry.sha256:
            raise ReleaseCorruptError(
                task, version, f"{name} has sha256 {digest[:12]}.., the manifest says {entry.sha256[:12]}..."
            )
    return manifest


@contextmanager
def staging(home: Home, task: str) -> Iterator[Path]:
    """A folder to put a release's files into, gone afterwards unless it was published.

    What earlier processes left behind when they were killed is removed first; what a living process is
    still filling (it holds a lock) is left alone.
    """
    folder = home.releases(task)
    staged = folder / f"{_STAGING}{uuid.uuid4().hex[:12]}"
    lock = _lock_of(staged)
    with ExitStack() as held:
        # So that nobody takes a lock file that is made but not yet locked for one that was left behind.
        with locked(folder / ".lock"):
            _remove_left(folder)
            held.enter_context(locked(lock))
        staged.mkdir()
        try:
            yield staged
        finally:
            shutil.rmtree(staged, ignore_errors=True)
            lock.unlink(missing_ok=True)


def _remove_left(folder: Path) -> None:
    """Remove the staging folders and lock files whose process lives no more."""
    for name in {path.name.removesuffix(".lock") for path in folder.glob(f"{_STAGING}*")}:
        left = folder / name
        if not is_locked(_lock_of(left)):
            shutil.rmtree(left, ignore_errors=True)
            _lock_of(left).unlink(missing_ok=True)


def _lock_of(staged: Path) -> Path:
    return staged.with_name(f"{staged.name}.lock")


def publish(home: Home, staged: Path, manifest: Manifest) -> Manifest:
    """Give a staged folder the next free version and make it a release, atomically and durably.

    Returns the manifest as written, with its version and file entries. Two at once get two versions.
    """
    files = {
        path.name: FileEntry(sha256=sha256_file(path), size=path.stat().st_size)
        for path in sorted(staged.iterdir())
        if path.name != MANIFEST_FILE
    }
    missing = [name for name in REQUIRED_FILES if name not in files]
    if missing:
        raise ReleaseCorruptError(manifest.task, "(staged)", f"{', '.join(missing)} was not written.")
    for name in files:
        sync_file(staged / name)
    with locked(home.releases(manifest.task) / ".lock"):
        taken = [int(e.name) for e in home.releases(manifest.task).iterdir() if re.match(VERSION, e.name)]
        version = f"{max(taken, default=0) + 1:04d}"
        final = manifest.model_copy(update={"version": version, "files": files})
        write_atomic(staged / MANIFEST_FILE, final.model_dump_json(indent=2, by_alias=True).encode())
        staged.rename(home.release(manifest.task, version))
        sync_folder(home.releases(manifest.task))
    return final
