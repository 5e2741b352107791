"""Follows every task's rollout.json and keeps the right release loaded; a bad one never replaces a good one."""

from __future__ import annotations

import logging
import re
import threading
import time
from collections.abc import Iterator, Sequence
from dataclasses import replace

from contracts.errors import PerennialError
from contracts.home import Home
from contracts.records import Role
from contracts.rollout import Rollout, Trial, read_rollout
from contracts.rollout_history import standbys
from contracts.rollout_remains import remains_of_rollout
from contracts.schema import TASK_NAME
from service.engine.loading import load_release
from service.engine.model import LoadedRelease
from service.errors import NotReadyError, TaskNotServedError, TaskUnknownError
from service.metrics import ServiceMetrics
from service.rollout.task_state import FIRST_RETRY_SECONDS, Fingerprint, Routed, TaskState, placed, tried_later
from service.rollout.trials import told_share

__all__ = ["Releases", "Routed", "TaskState"]

logger = logging.getLogger(__name__)

_DUTIES: dict[Role, str] = {
    "stable": "answers",
    "canary": "answers {share} of the callers, as the canary,",
    "shadow": "scores {share} of the traffic unseen, as the shadow,",
}
_UNREADABLE: Fingerprint = (-1, -1, -1)


class Releases:
    """The releases of each task: the one that answers, and what is tried beside it.

    Loading happens in a thread of its own, beside the requests.
    """

    def __init__(self, home: Home, *, threads: int, poll_seconds: float, metrics: ServiceMetrics) -> None:
        self._home = home
        self._threads = threads
        self._poll_seconds = poll_seconds
        self._metrics = metrics
        self._states: dict[str, TaskState] = {}
        self.looked = False  # whether every task was tried once
        self._trouble = ""
        self._troubles: dict[str, str] = {}  # by task
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
            if not self.looked:
                raise TaskNotServedError(task[:64], "the service is starting. Try again in a moment.")
            raise TaskUnknownError(task, sorted(self._states))
        return state

    def serving(self, task: str) -> LoadedRelease:
        """The stable release. Raises TaskUnknownError or TaskNotServedError."""
        return self.route(task, None, None).release

    def route(self, task: str, key: str | None, version: str | None) -> Routed:
        """Which loaded release answers a request: see `TaskState.route`.

        Raises TaskUnknownError, TaskNotServedError or VersionNotServedError.
        """
        return self.state(task).route(key, version)

    def shadow(self, task: str) -> Routed | None:
        """The release that scores a share of the traffic unseen, if any."""
        state = self._states.get(task)
        return state.shadow if state is not None else None

    def labels(self, task: str) -> frozenset[str]:
        """What feedback may say: the labels of every loaded release. Raises as `route` does."""
        self.serving(task)
        return self.state(task).labels

    def check_ready(self) -> None:
        """Raises NotReadyError saying what is missing, unless every task was tried once and something is served.

        A task whose release cannot be loaded is told elsewhere (its state, a metric, the log), and so is one that came
        later and is still loading: it must not take the healthy ones out of service.
        """
        if not self.looked:
            raise NotReadyError(["The service is starting: releases are being loaded."])
        if all(state.release is None for state in self.states()):
            raise NotReadyError(
                [
                    f"No task has a release to serve in {self._home.root}. Train one with `perennial train TASK.toml`; "
                    "it is picked up by itself.",
                    *(
                        f"Task {state.task}: {state.problem or 'its release is being loaded.'}"
                        for state in self.states()
                        if state.problem or state.rollout
                    ),
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
            if not self.looked and not self._states:
                logger.warning("No task has a release in %s yet; one that comes is picked up.", self._home.root)
            self.looked = True
            self._stopping.wait(self._poll_seconds)

    def _look(self) -> None:
        named = {task for task in self._home.tasks() if re.match(TASK_NAME, task)}
        for task in sorted(named | self._states.keys()):
            if self._stopping.is_set():
                return
            try:
                self._update(self._states.get(task) or TaskState(task))
                self._troubles.pop(task, None)
            except Exception as error:
                # Whatever is wrong with one task, the others are looked at.
                if repr(error) != self._troubles.get(task):
                    self._troubles[task] = repr(error)
                    logger.exception("Following task %s fails; it is tried again.", task)

    def _update(self, state: TaskState) -> None:
        seen = self._fingerprint(state.task)
        due = state.retry_at is not None and time.monotonic() >= state.retry_at
        if seen == state.seen and not due and state.task in self._states:
            return
        state = replace(state, seen=seen, retry_at=None)
        try:
            rollout = read_rollout(self._home, state.task)
        except PerennialError as error:
            # What cannot be read now (too many open files) may be read later, without being written anew.
            self._put(tried_later(self._made_do(state, str(error)), time.monotonic()))
            return
        if rollout is None:
            gone = f"it has no rollout.json. Choose a release with `perennial releases promote {state.task} VERSION`."
            self._put(replace(state, stable_problem=gone))
            return
        for after in self._followed(state, rollout):
            state = after
            # Not yet as seen: should the rest fail in an unforeseen way, all of it is done again.
            self._put(replace(state, seen=None))
        if state.problem:
            self._put(tried_later(state, time.monotonic()))
        else:
            self._put(replace(state, retry_seconds=FIRST_RETRY_SECONDS))

    def _made_do(self, state: TaskState, problem: str) -> TaskState:
        """What is loaded goes on; a worker that has nothing yet takes what was chosen before the file was damaged."""
        remains = remains_of_rollout(self._home, state.task) if state.stable is None else None
        if remains is None:
            return replace(state, stable_problem=problem)
        for after in self._followed(state, remains):
            state = after
            self._put(replace(state, seen=None))
        return replace(state, stable_problem=" ".join(filter(None, (problem, state.stable_problem))))

    def _followed(self, state: TaskState, rollout: Rollout) -> Iterator[TaskState]:
        """The states on the way to what the rollout wants: first what needs no loading, then the stable release."""
        loaded = [routed.release for routed in state.places]
        # Put before anything is loaded, so that a request meanwhile is told to wait and not that there is no such task.
        state = placed(state, rollout, loaded)
        yield state
        release, problem = state.release, None
        if release is None or release.version != rollout.stable:
            release, problem = self._load(rollout, rollout.stable)
            loaded += [release] if release is not None else []
        standby = None
        if problem is not None and state.stable is None:
            # A worker that was there before has that one still: callers must not depend on whom they meet.
            standby = self._standby(rollout, loaded)
            loaded += [standby] if standby is not None else []
        state = replace(placed(state, rollout, loaded, standby), stable_problem=problem)
        yield state
        problems = []
        for role, version in _trials(rollout):
            if state.stable is None or any(release.version == version for release in loaded):
                continue
            release, problem = self._load(rollout, version)
            loaded += [release] if release is not None else []
            if problem is not None:
                problems.append(
                    f"The {role} {version} is not tried: {problem} "
                    f"Or end the trial with `perennial releases end-trial {state.task}`."
                )
            state = placed(state, rollout, loaded)
            yield state
        yield replace(state, trial_problem=" ".join(problems) or None)

    def _standby(self, rollout: Rollout, loaded: Sequence[LoadedRelease]) -> LoadedRelease | None:
        """The first loadable one of the releases that were stable before."""
        known = {release.version: release for release in loaded}
        for version in standbys(rollout.history, rollout.stable):
            if self._stopping.is_set():
                return None
            if (release := known.get(version) or self._load(rollout, version)[0]) is not None:
                return release
        return None

    def _load(self, rollout: Rollout, version: str) -> tuple[LoadedRelease | None, str | None]:
        """The release, or why it cannot be loaded."""
        started = time.monotonic()
        try:
            release = load_release(
                self._home,
                rollout.task,
                version,
                threads=self._threads,
                sha256=rollout.sha256_of(version),
                serving=[routed.release for state in self.states() for routed in state.places],
                gently=self.looked,
            )
        except (PerennialError, OSError) as error:
            self._metrics.release_failures.labels(rollout.task).inc()
            return None, str(error)
        logger.info(
            "Task %s: release %s is loaded (%.0f ms).", rollout.task, version, 1000 * (time.monotonic() - started)
        )
        return release, None

    def _put(self, after: TaskState) -> None:
        before = self._states.get(after.task) or TaskState(after.task)
        if after.problem and after.problem != before.problem:
            # A task whose first release is still being trained is no error.
            level = logging.ERROR if after.rollout or after.seen else logging.INFO
            logger.log(level, "Task %s: %s %s", after.task, after.problem, _meanwhile(before, after))
        self._tell_places(before, after)
        # A new dict each time: requests read the old one meanwhile.
        self._states = {**self._states, after.task: after}

    def _tell_places(self, before: TaskState, after: TaskState) -> None:
        old = {(routed.role, routed.release.version): routed.share for routed in before.places}
        new = {(routed.role, routed.release.version): routed.share for routed in after.places}
        for (role, version), share in new.items():
            if old.get((role, version)) != share:
                self._metrics.release_info.labels(after.task, version, role).set(1)
                duty = _DUTIES[role].format(share=told_share(share))
                logger.info("Task %s: release %s %s from now on.", after.task, version, duty)
        for role, version in old.keys() - new.keys():
            self._metrics.release_info.labels(after.task, version, role).set(0)
            logger.info("Task %s: release %s is not its %s release any more.", after.task, version, role)

    def _fingerprint(self, task: str) -> Fingerprint | None:
        try:
            found = self._home.rollout(task).stat()
        except (FileNotFoundError, NotADirectoryError):
            return None
        except OSError:
            # Of this task alone: reading it says why, and the other tasks are still looked at.
            return _UNREADABLE
        return found.st_mtime_ns, found.st_size, found.st_ino


def _meanwhile(before: TaskState, after: TaskState) -> str:
    if after.release is None:
        return "Nothing answers for it."
    if before.release is None:
        return f"Release {after.release.version}, which was stable before, answers until then."
    return f"Release {after.release.version} goes on answering."


def _trials(rollout: Rollout) -> list[tuple[Trial, str]]:
    wanted: list[tuple[Trial, str | None]] = [("canary", rollout.canary), ("shadow", rollout.shadow)]
    return [(role, version) for role, version in wanted if version is not None]
