"""Follows every task's rollout.json and keeps the right release loaded; a bad one never replaces a good one."""

from __future__ import annotations

import logging
import re
import threading
import time
from dataclasses import dataclass, replace

from contracts.errors import PerennialError
from contracts.home import Home
from contracts.rollout import Rollout, predecessor, read_rollout
from contracts.schema import TASK_NAME
from service.errors import NotReadyError, TaskNotServedError, TaskUnknownError
from service.metrics import ServiceMetrics
from service.model import LoadedRelease, load_release

logger = logging.getLogger(__name__)

_FIRST_RETRY_SECONDS = 2.0
_LAST_RETRY_SECONDS = 60.0

Fingerprint = tuple[int, int, int]
_UNREADABLE: Fingerprint = (-1, -1, -1)


@dataclass(frozen=True)
class TaskState:
    """What is known of one task. A change is a new state, put in place of the old one at once."""

    task: str
    release: LoadedRelease | None = None
    rollout: Rollout | None = None
    problem: str | None = None  # why the release that the rollout wants is not the one that answers
    seen: Fingerprint | None = None  # of rollout.json when it was last read
    retry_at: float | None = None  # monotonic time of the next try to load
    retry_seconds: float = _FIRST_RETRY_SECONDS

    @property
    def previous(self) -> str | None:
        """The release that a rollback would bring back."""
        return predecessor(self.rollout) if self.rollout else None

    @property
    def state(self) -> str:
        """`serving`, `degraded` (an older release answers than is wanted), or `unavailable`."""
        if self.release is None:
            return "unavailable"
        return "degraded" if self.problem else "serving"


class Releases:
    """The releases that answer, one a task. Loading happens in a thread of its own, beside the requests."""

    def __init__(self, home: Home, *, threads: int, poll_seconds: float, metrics: ServiceMetrics) -> None:
        self._home = home
        self._threads = threads
        self._poll_seconds = poll_seconds
        self._metrics = metrics
        self._states: dict[str, TaskState] = {}
        self._looked = False
        self._trouble = ""
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._follow, name="releases", daemon=True)

    def start(self) -> None:
        """Start following."""
        self._thread.start()

    def stop(self, timeout: float) -> None:
        """Stop following; a load that is under way is left behind after `timeout` seconds."""
        self._stopping.set()
        self._thread.join(timeout)

    def states(self) -> list[TaskState]:
        """All tasks, by name."""
        return [state for _, state in sorted(self._states.items())]

    def knows(self, task: str) -> bool:
        """Whether there is such a task."""
        return task in self._states

    def state(self, task: str) -> TaskState:
        """Raises TaskUnknownError, or TaskNotServedError before the first look around."""
        state = self._states.get(task)
        if state is None:
            if not self._looked:
                raise TaskNotServedError(task[:64], "the service is starting. Try again in a moment.")
            raise TaskUnknownError(task, sorted(self._states))
        return state

    def serving(self, task: str) -> LoadedRelease:
        """The release that answers now. Raises TaskUnknownError or TaskNotServedError."""
        state = self.state(task)
        if state.release is None:
            raise TaskNotServedError(task, state.problem or "its release is being loaded. Try again in a moment.")
        return state.release

    def check_ready(self) -> None:
        """Raises NotReadyError saying what is missing, unless something is served and nothing is still loading.

        A task whose release cannot be loaded is told elsewhere (its state, a metric, the log); it must not take the
        healthy ones out of service.
        """
        if not self._looked:
            raise NotReadyError(["The service is starting: releases are being loaded."])
        missing = [
            f"Task {state.task}: its release is being loaded."
            for state in self.states()
            if state.release is None and state.rollout is not None and state.problem is None
        ]
        if missing:
            raise NotReadyError(missing)
        if all(state.release is None for state in self.states()):
            raise NotReadyError(
                [
                    f"No task has a release to serve in {self._home.root}. Train one with `perennial train TASK.toml`; "
                    "it is picked up by itself.",
                    *(f"Task {state.task}: {state.problem}" for state in self.states() if state.problem),
                ]
            )

    def _follow(self) -> None:
        while not self._stopping.is_set():
            try:
                self._look()
                self._trouble = ""
            except Exception as error:
                # Whatever went wrong (a file system gone for a while), the releases that are loaded go on answering.
                if repr(error) != self._trouble:
                    self._trouble = repr(error)
                    logger.exception("Looking for releases in %s fails; it is tried again.", self._home.root)
            self._looked = True
            self._stopping.wait(self._poll_seconds)

    def _look(self) -> None:
        named = {task for task in self._home.tasks() if re.match(TASK_NAME, task)}
        for task in sorted(named | self._states.keys()):
            if self._stopping.is_set():
                return
            before = self._states.get(task) or TaskState(task)
            after = self._updated(before)
            if after is not before:
                self._put(before, after)

    def _updated(self, state: TaskState) -> TaskState:
        seen = self._fingerprint(state.task)
        due = state.retry_at is not None and time.monotonic() >= state.retry_at
        if seen == state.seen and not due and state.task in self._states:
            return state
        state = replace(state, seen=seen, retry_at=None)
        try:
            rollout = read_rollout(self._home, state.task)
        except PerennialError as error:
            # What cannot be read now (too many open files) may be read later, without being written anew.
            return _tried_later(state, str(error))
        if rollout is None:
            gone = f"it has no rollout.json. Choose a release with `perennial releases promote {state.task} VERSION`."
            return replace(state, problem=gone)
        state = replace(state, rollout=rollout)
        if state.release is not None and state.release.version == rollout.stable:
            return replace(state, problem=None, retry_seconds=_FIRST_RETRY_SECONDS)
        if state.task not in self._states:
            # Known before it is loaded, so that a request meanwhile is told to wait and not that there is no such task.
            self._states = {**self._states, state.task: replace(state, seen=None)}
        return self._loaded(state, rollout)

    def _loaded(self, state: TaskState, rollout: Rollout) -> TaskState:
        version, started = rollout.stable, time.monotonic()
        try:
            release = load_release(self._home, state.task, version, threads=self._threads, sha256=rollout.stable_sha256)
        except (PerennialError, OSError) as error:
            self._metrics.release_failures.labels(state.task).inc()
            return _tried_later(state, str(error))
        logger.info(
            "Task %s: release %s is loaded (%.0f ms) and answers from now on.",
            *(state.task, version, 1000 * (time.monotonic() - started)),
        )
        return replace(state, release=release, problem=None, retry_seconds=_FIRST_RETRY_SECONDS)

    def _put(self, before: TaskState, after: TaskState) -> None:
        if after.problem and after.problem != before.problem:
            # A task whose first release is still being trained is no error.
            level = logging.ERROR if after.rollout or after.seen else logging.INFO
            kept = f"Release {after.release.version} goes on answering." if after.release else "Nothing answers for it."
            logger.log(level, "Task %s: %s %s", after.task, after.problem, kept)
        if after.release is not before.release and after.release is not None:
            if before.release is not None:
                self._metrics.release_info.labels(after.task, before.release.version, "stable").set(0)
            self._metrics.release_info.labels(after.task, after.release.version, "stable").set(1)
        # A new dict each time: requests read the old one meanwhile.
        self._states = {**self._states, after.task: after}

    def _fingerprint(self, task: str) -> Fingerprint | None:
        try:
            found = self._home.rollout(task).stat()
        except (FileNotFoundError, NotADirectoryError):
            return None
        except OSError:
            # Of this task alone: reading it says why, and the other tasks are still looked at.
            return _UNREADABLE
        return found.st_mtime_ns, found.st_size, found.st_ino


def _tried_later(state: TaskState, problem: str) -> TaskState:
    return replace(
        state,
        problem=problem,
        retry_at=time.monotonic() + state.retry_seconds,
        retry_seconds=min(2 * state.retry_seconds, _LAST_RETRY_SECONDS),
    )
