"""Training jobs as processes of this machine."""

from __future__ import annotations

import fcntl
import logging
import os
import signal
import subprocess
import threading
import time
from pathlib import Path
from typing import Protocol

from contracts.errors import PerennialError
from contracts.files import is_locked
from contracts.home import Home
from contracts.retrain import LOCK_FILE

PROCESS_LOCK = "process.lock"
LOG_FILE = "job.log"
_NICENESS = 10

logger = logging.getLogger(__name__)


class JobNotStartedError(PerennialError):
    """A job that could not be started for a reason that may pass; it does not count as an attempt."""


class JobRunner(Protocol):
    """Where training jobs run. `pid` is the job's process, where it has one and it is known."""

    def start(self, folder: Path, attempt: int) -> int | None:
        """Start the job of a request's folder; returns its pid, or None. Raises JobNotStartedError, OSError."""

    def is_alive(self, folder: Path, attempt: int) -> bool:
        """Whether that attempt has not ended yet. Raises JobNotStartedError when that cannot be told now."""

    def stop(self, folder: Path, attempt: int, pid: int | None, *, grace: float) -> bool:
        """End the job, within `grace` seconds by asking, then by force; False when it was left alone."""


class ProcessRunner:
    """Each job is a process in a session of its own, which outlives a controller that is killed.

    The job inherits an open, locked file: the lock is held exactly as long as the job lives, whatever becomes of
    the controller, and is freed by the kernel. So neither a pid that was reused nor a crash between two steps can
    make a controller believe that a job runs, or start it twice.
    """

    def __init__(self, home: Home, command: tuple[str, ...]) -> None:
        self._home = home
        self._command = command
        self._children: dict[Path, subprocess.Popen[bytes]] = {}

    def start(self, folder: Path, attempt: int) -> int:
        """Start the job, its output appended to `job.log`."""
        with (folder / PROCESS_LOCK).open("ab") as lock, (folder / LOG_FILE).open("ab") as log:
            try:
                fcntl.flock(lock.fileno(), fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError as error:
                raise JobNotStartedError(
                    f"Request {folder.name}: expected no job, found one that holds {lock.name}. It is waited for."
                ) from error
            process = subprocess.Popen(
                [*self._command, str(folder), "--home", str(self._home.root)],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
                pass_fds=(lock.fileno(),),
            )
        self._children[folder] = process
        # A job whose result was taken is asked about no more; it must not stay a zombie for that.
        threading.Thread(target=process.wait, name=f"job-{process.pid}", daemon=True).start()
        try:
            # Serving goes first on a machine that does both.
            os.setpriority(os.PRIO_PROCESS, process.pid, _NICENESS)
        except OSError as error:
            logger.warning("Request %s: the job keeps its priority (%s).", folder.name, error)
        return process.pid

    def is_alive(self, folder: Path, attempt: int) -> bool:
        """Whether the job, of this controller or of one before it, or one started by hand, still runs."""
        child = self._children.get(folder)
        if child is not None and child.poll() is not None:
            del self._children[folder]
            # What the job left running in its session would hold the lock.
            if is_locked(folder / PROCESS_LOCK):
                _signal_group(child.pid, signal.SIGKILL)
                _wait_unlocked(folder, 5.0)
        return is_locked(folder / PROCESS_LOCK) or is_locked(folder / LOCK_FILE)

    def stop(self, folder: Path, attempt: int, pid: int | None, *, grace: float) -> bool:
        """SIGTERM to the job's process group, after `grace` seconds SIGKILL."""
        if pid is None or not is_locked(folder / PROCESS_LOCK):
            return False
        for number, patience in ((signal.SIGTERM, grace), (signal.SIGKILL, 5.0)):
            _signal_group(pid, number)
            if self._wait_ended(folder, patience):
                break
        return True

    def _wait_ended(self, folder: Path, patience: float) -> bool:
        deadline = time.monotonic() + patience
        child = self._children.get(folder)
        if child is not None:
            try:
                child.wait(max(patience, 0.01))
            except subprocess.TimeoutExpired:
                return False
        return _wait_unlocked(folder, max(deadline - time.monotonic(), 0.0))


def _wait_unlocked(folder: Path, patience: float) -> bool:
    deadline = time.monotonic() + patience
    while is_locked(folder / PROCESS_LOCK):
        if time.monotonic() >= deadline:
            return False
        time.sleep(0.05)
    return True


def _signal_group(pid: int, number: signal.Signals) -> None:
    try:
        os.killpg(pid, number)
    except ProcessLookupError:
        return
