"""Feedback: on disk before it is acknowledged. What arrives during one write shares the next (group commit)."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Sequence

import orjson

from contracts.errors import LogWriteError
from contracts.files import append_durable
from contracts.home import Home
from contracts.log import segment_path
from service.errors import StoppingError

logger = logging.getLogger(__name__)


class FeedbackLog:
    """One writer's feedback segments. Lives on one event loop."""

    def __init__(self, home: Home, writer: str) -> None:
        self._home = home
        self._writer = writer
        self._waiting: dict[str, list[tuple[bytes, asyncio.Future[None]]]] = {}
        self._committing: asyncio.Task[None] | None = None
        self._stopping = False

    async def append(self, task: str, items: Sequence[tuple[str, str]], received: float) -> None:
        """Returns once the (id, label) pairs are durable. Raises LogWriteError when they cannot be."""
        if self._stopping:
            raise StoppingError
        lines = b"".join(
            orjson.dumps(
                {"schema_number": 1, "id": identifier, "time": received, "task": task, "label": label},
                option=orjson.OPT_APPEND_NEWLINE,
            )
            for identifier, label in items
        )
        future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.setdefault(task, []).append((lines, future))
        if self._committing is None:
            self._committing = asyncio.create_task(self._commit())
        # The write goes on when this caller hangs up: others may share it.
        await future

    async def stop(self) -> None:
        """Refuse more, and finish what was begun."""
        self._stopping = True
        if self._committing is not None:
            await self._committing

    async def _commit(self) -> None:
        try:
            while self._waiting:
                taken, self._waiting = self._waiting, {}
                for task, group in taken.items():
                    await self._write(task, group)
        finally:
            self._committing = None

    async def _write(self, task: str, group: list[tuple[bytes, asyncio.Future[None]]]) -> None:
        path = segment_path(self._home.feedback(task), self._writer, time.time())
        failure: LogWriteError | None = None
        try:
            await asyncio.to_thread(append_durable, path, b"".join([lines for lines, _ in group]))
        except Exception as error:
            # Whatever it was, those who wait are told.
            reason = error.strerror if isinstance(error, OSError) else repr(error)
            failure = LogWriteError(
                f"The feedback could not be made durable ({path}: {reason}), so none of it is acknowledged. "
                "Free space or mend the folder, then send it again."
            )
            failure.__cause__ = error
            logger.exception("Feedback of task %s could not be written; it was refused.", task)
        for _, future in group:
            if future.done():
                continue
            if failure is None:
                future.set_result(None)
            else:
                future.set_exception(failure)
