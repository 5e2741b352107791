"""Feedback: on disk before it is acknowledged. What arrives during one write shares the next (group commit)."""

from __future__ import annotations

import asyncio
import logging
import threading
import time
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from queue import SimpleQueue
from typing import NamedTuple

import orjson

from contracts.errors import LogWriteError
from contracts.files import append_durable
from contracts.home import Home
from contracts.log import segment_path
from service.errors import DeadlineError, FeedbackLateError, StoppingError
from service.logs.complaints import Complaints

logger = logging.getLogger(__name__)

# Of one request: its lines, under the future that its caller waits for.
_Group = dict[asyncio.Future[None], bytes]


class _Write(NamedTuple):
    """What the thread is to make durable."""

    task: str
    path: Path
    lines: bytes
    requests: int  # that these lines are of
    done: asyncio.Future[LogWriteError | None]


class FeedbackLog:
    """One writer's feedback segments. Lives on one event loop.

    It writes in a thread that nothing waits for without a bound, as the loop's own executor would be: a disk may hang.
    """

    def __init__(self, home: Home, writer: str) -> None:
        self._home = home
        self._writer = writer
        self._waiting: dict[str, _Group] = {}
        self._committing: asyncio.Task[None] | None = None
        self._stopping = False
        self._complaints = Complaints("The feedback", "requests were refused")
        self._writes: SimpleQueue[_Write | None] = SimpleQueue()
        self._thread = threading.Thread(target=self._run, name="feedback", daemon=True)

    def start(self) -> None:
        """Start the writing thread."""
        self._thread.start()

    async def append(self, task: str, items: Sequence[tuple[str, str]], received: float, *, deadline: float) -> None:
        """Returns once the (id, label) pairs are durable; `deadline` is monotonic.

        Raises LogWriteError when they cannot be, FeedbackLateError when that is not known by the deadline, and
        DeadlineError when it was over before.
        """
        if self._stopping:
            raise StoppingError
        if time.monotonic() >= deadline:
            raise DeadlineError
        lines = b"".join(
            orjson.dumps(
                {"schema_number": 1, "id": identifier, "time": received, "task": task, "label": label},
                option=orjson.OPT_APPEND_NEWLINE,
            )
            for identifier, label in items
        )
        future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        group = self._waiting.setdefault(task, {})
        group[future] = lines
        if self._committing is None:
            self._committing = asyncio.create_task(self._commit())
        try:
            # A write that was begun goes on when this caller gives up: others may share it.
            async with asyncio.timeout(deadline - time.monotonic()):
                await future
        except TimeoutError:
            raise FeedbackLateError from None
        finally:
            # One that was not begun would be for nobody, and while a disk hangs they would fill the memory.
            group.pop(future, None)

    async def stop(self, timeout: float) -> None:
        """Refuse more, and finish what was begun, for `timeout` seconds at the most."""
        until = time.monotonic() + timeout
        self._stopping = True
        if self._committing is not None:
            await asyncio.wait({self._committing}, timeout=timeout)
        self._writes.put(None)
        await asyncio.to_thread(self._thread.join, max(0.0, until - time.monotonic()))
        if self._thread.is_alive():
            logger.error("Feedback could not be written within %.1f s; what waited is not acknowledged.", timeout)

    async def _commit(self) -> None:
        try:
            while self._waiting:
                taken, self._waiting = self._waiting, {}
                for task, group in taken.items():
                    if group:
                        await self._write(task, group)
        finally:
            self._committing = None

    async def _write(self, task: str, group: _Group) -> None:
        path = segment_path(self._home.feedback(task), self._writer, time.time())
        done: asyncio.Future[LogWriteError | None] = asyncio.get_running_loop().create_future()
        self._writes.put(_Write(task, path, b"".join(group.values()), len(group), done))
        failure = await done
        for future in group:
            if future.done():
                continue
            if failure is None:
                future.set_result(None)
            else:
                future.set_exception(failure)

    def _run(self) -> None:
        while (write := self._writes.get()) is not None:
            failure = self._written(write)
            # Where the loop was closed meanwhile, nobody is left to be answered.
            with suppress(RuntimeError):
                write.done.get_loop().call_soon_threadsafe(_settle, write.done, failure)

    def _written(self, write: _Write) -> LogWriteError | None:
        """In the thread: what kept it from being made durable, if anything did."""
        cause: Exception
        try:
            append_durable(write.path, write.lines)
        except OSError as error:
            cause, reason = error, error.strerror or str(error)
            problem = f"Feedback of task {write.task} cannot be written ({write.path}: {reason})."
            self._complaints.tell(write.task, f"{problem} Free space or mend the folder.", write.requests)
        except Exception as error:
            # Whatever it was, those who wait are told.
            cause, reason = error, repr(error)
            logger.exception("Feedback of task %s could not be written; it was refused.", write.task)
        else:
            self._complaints.over(write.task)
            return None
        failure = LogWriteError(
            f"The feedback could not be made durable ({write.path}: {reason}), so none of it is acknowledged. "
            "Free space or mend the folder, then send it again."
        )
        failure.__cause__ = cause
        return failure


def _settle(done: asyncio.Future[LogWriteError | None], failure: LogWriteError | None) -> None:
    if not done.done():
        done.set_result(failure)
