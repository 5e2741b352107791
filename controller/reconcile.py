"""Carries every open request on, from what is on disk alone: a controller that was killed is just started again."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal, TypeVar

from contracts.errors import PerennialError, RequestCorruptError
from contracts.files import locked
from contracts.home import Home
from contracts.retrain import RetrainRequest, read_request, read_result
from contracts.rollout import read_rollout
from controller.jobs import LOG_FILE, JobNotStartedError, JobRunner
from controller.outcome import conclude, ended
from controller.record import DecisionRecord, append_decision, read_decisions
from controller.request_store import (
    AttemptEvent,
    append_attempt,
    failed_attempts,
    open_folders,
    read_attempts,
    remove_staged,
    request_folders,
)
from controller.settings import ControllerSettings

_TAIL = 600

State = Literal["running", "waiting", "ended", "troubled"]
Found = TypeVar("Found")

logger = logging.getLogger(__name__)


def controller_lock(home: Home) -> Path:
    """Whoever decides or acts holds this lock: threads of one controller, and controllers that share a home."""
    return home.controller() / "controller.lock"


@dataclass
class Reconciler:
    """`announce` hears each decision once it is durable."""

    home: Home
    settings: ControllerSettings
    runner: JobRunner
    now: Callable[[], float]
    announce: Callable[[DecisionRecord], None]
    _settled: set[Path] = field(default_factory=set)

    def step(self) -> set[str]:
        """Settle what has ended and start what waits, one job at a time. Returns the tasks whose job runs.

        An error with one request is logged and met again at the next pass; it does not hold up the others.
        """
        if self._settled.issuperset(request_folders(self.home)):
            return set()
        with locked(controller_lock(self.home)):
            remove_staged(self.home)
            decisions = read_decisions(self.home)
            folders = open_folders(self.home, decisions)
            self._settled = set(request_folders(self.home)).difference(folders)
            asked = {decision.request_id for decision in decisions if decision.action == "retrain"}
            for folder in folders:
                if folder.name not in asked:
                    self._attempt_to(self._recover_decision, folder, False)
            states = {folder: self._attempt_to(self._look_after, folder, "troubled") for folder in folders}
            waiting = [folder for folder in folders if states[folder] == "waiting"]
            # Of a request in trouble nobody can say that its job does not run.
            if waiting and not {"running", "troubled"} & set(states.values()):
                states[waiting[0]] = self._attempt_to(self._start, waiting[0], "troubled")
            return {folder.parent.name for folder, state in states.items() if state == "running"}

    def stop(self) -> None:
        """End the running job, since on one machine a stopped controller leaves nothing behind; the next one starts
        it again, and the attempt does not count. A job whose pid was lost in a crash, or that runs in a cluster, goes
        on."""
        with locked(controller_lock(self.home)):
            for folder in open_folders(self.home, read_decisions(self.home)):
                self._attempt_to(self._end_job, folder, False)

    def _attempt_to(self, act: Callable[[Path], Found], folder: Path, otherwise: Found) -> Found:
        try:
            return act(folder)
        except (PerennialError, OSError) as error:
            logger.warning("Request %s: %s", folder.name, error)
            return otherwise

    def _recover_decision(self, folder: Path) -> bool:
        """A controller was killed between freezing the request and recording why: the request still says it."""
        try:
            request = read_request(folder)
        except RequestCorruptError:
            return False
        self._record(
            DecisionRecord(
                time=request.created,
                task=request.task,
                action="retrain",
                kind="hurt",
                reason=request.reason,
                release=request.parent,
                request_id=request.id,
                figures={"labels": float(request.snapshot.labelled_rows)},
                evidence=request.evidence,
            )
        )
        return True

    def _look_after(self, folder: Path) -> State:
        """Record the end of a request that has come to one."""
        events = read_attempts(folder)
        attempt = events[-1].attempt if events else 0
        # In this order: a job that ends in between has written its result by then.
        alive = self.runner.is_alive(folder, attempt)
        result = read_result(folder)
        if result is not None:
            return self._finish(folder, lambda request: conclude(self.home, request, result, self.now()))
        if alive:
            return self._within_time(folder, events)
        failed = failed_attempts(events)
        if failed < self.settings.job_attempts:
            return "waiting"
        reason = f"The training job ended {failed} times without a result. Its last words: {_last_words(folder)}"
        return self._finish(folder, lambda request: ended(request, self.now(), "failed", "job_died", reason))

    def _within_time(self, folder: Path, events: list[AttemptEvent]) -> State:
        limit = self.settings.job_timeout_seconds
        started = max((event.time for event in events if event.event == "started"), default=self.now())
        if self.now() - started <= limit or not self._end_job(folder, count=True):
            return "running"
        reason = f"The training job was ended after {limit:g} seconds without a result. {_last_words(folder)}"
        return self._finish(folder, lambda request: ended(request, self.now(), "failed", "job_timeout", reason))

    def _start(self, folder: Path) -> State:
        try:
            request = read_request(folder)
        except RequestCorruptError as error:
            return self._end(folder, self._damaged(folder, error))
        rollout = read_rollout(self.home, request.task)
        if rollout is None or rollout.stable != request.parent:
            reason = f"Release {request.parent}, which it was to beat, does not serve any more."
            return self._end(folder, ended(request, self.now(), "refuse", "champion_replaced", reason))
        events = read_attempts(folder)
        attempt = max((event.attempt for event in events), default=0) + 1
        append_attempt(folder, AttemptEvent(event="started", time=self.now(), attempt=attempt))
        try:
            pid = self.runner.start(folder, attempt)
        except JobNotStartedError:
            append_attempt(folder, AttemptEvent(event="stopped", time=self.now(), attempt=attempt))
            raise
        append_attempt(folder, AttemptEvent(event="running", time=self.now(), attempt=attempt, pid=pid))
        logger.info("Request %s: attempt %d of the training job runs (pid %s).", request.id, attempt, pid or "unknown")
        return "running"

    def _end_job(self, folder: Path, *, count: bool = False) -> bool:
        events = read_attempts(folder)
        attempt = events[-1].attempt if events else 0
        if not self.runner.is_alive(folder, attempt):
            return False
        pid = next((e.pid for e in reversed(events) if e.event == "running" and e.attempt == attempt), None)
        stopped = self.runner.stop(folder, attempt, pid, grace=self.settings.stop_grace_seconds)
        if stopped and not count:
            append_attempt(folder, AttemptEvent(event="stopped", time=self.now(), attempt=attempt))
        logger.info("Request %s: the training job %s.", folder.name, "was ended" if stopped else "was left to go on")
        return stopped

    def _finish(self, folder: Path, decide: Callable[[RetrainRequest], DecisionRecord]) -> State:
        """Record the end of a request, which is `failed` where its own files are damaged."""
        try:
            decision = decide(read_request(folder))
        except RequestCorruptError as error:
            decision = self._damaged(folder, error)
        return self._end(folder, decision)

    def _damaged(self, folder: Path, error: RequestCorruptError) -> DecisionRecord:
        return DecisionRecord(
            time=self.now(),
            task=folder.parent.name,
            action="failed",
            kind="bad_request",
            reason=f"The request cannot be used: {error}",
            request_id=folder.name,
        )

    def _end(self, folder: Path, decision: DecisionRecord) -> State:
        self._record(decision)
        self._settled.add(folder)
        return "ended"

    def _record(self, decision: DecisionRecord) -> None:
        append_decision(self.home, decision)
        self.announce(decision)


def _last_words(folder: Path) -> str:
    """The end of the job's log, as one line."""
    try:
        with (folder / LOG_FILE).open("rb") as file:
            file.seek(max(0, (folder / LOG_FILE).stat().st_size - _TAIL))
            words = " ".join(file.read().decode(errors="replace").split())
    except FileNotFoundError:
        words = ""
    return words or "(its log is empty)"
