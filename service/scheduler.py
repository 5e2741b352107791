"""Runs waiting texts in batches: at once when idle, gathering while busy; no polling, no fixed delay."""

from __future__ import annotations

import asyncio
import math
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field

from service.batching import form_batch
from service.errors import QueueFullError, StoppingError
from service.metrics import ServiceMetrics
from service.model import BatchOutput, EncodedText, LoadedRelease

# Tokens a second that are taken for granted before the first run has been timed.
_FIRST_RATE = 10_000.0
_MAX_RETRY_AFTER = 60


@dataclass(frozen=True, slots=True)
class Placed:
    """Where a text's answer lies."""

    output: BatchOutput
    row: int


@dataclass(slots=True)
class _Ticket:
    """One request: answered when its last text is."""

    future: asyncio.Future[None]
    placed: list[Placed | None]
    missing: int


@dataclass(slots=True)
class _Waiting:
    """One text of a request."""

    ticket: _Ticket
    position: int
    ids: list[int]
    arrival: int


@dataclass(slots=True)
class _Queue:
    """What waits for one loaded release; while a release is swapped its task has two."""

    release: LoadedRelease
    waiting: list[_Waiting] = field(default_factory=list)


class Scheduler:
    """Lives on one event loop; session runs happen in `lanes` threads beside it.

    The release with the oldest waiting text goes first, so that no task starves another. A text keeps the release
    it came in with: a swap changes nothing for what already waits.
    """

    def __init__(self, *, batch_tokens: int, queue_tokens: int, metrics: ServiceMetrics, lanes: int = 1) -> None:
        self._batch_tokens = batch_tokens
        self._queue_tokens = queue_tokens
        self._metrics = metrics
        self._free_lanes = lanes
        self._executor = ThreadPoolExecutor(lanes, thread_name_prefix="session")
        self._queues: dict[LoadedRelease, _Queue] = {}
        self._tokens: dict[str, int] = {}
        self._arrivals = 0
        self._rate = _FIRST_RATE
        self._pumping = False
        self._stopping = False

    async def predict(self, release: LoadedRelease, texts: Sequence[EncodedText]) -> list[Placed]:
        """Answers of one request, in its order. Raises QueueFullError, ModelOutputError or StoppingError."""
        loop = asyncio.get_running_loop()
        tokens = sum(len(text.ids) for text in texts)
        self._admit(release.task, tokens)
        ticket = _Ticket(loop.create_future(), [None] * len(texts), len(texts))
        queue = self._queues.get(release)
        if queue is None:
            queue = self._queues[release] = _Queue(release)
        for position, text in enumerate(texts):
            self._arrivals += 1
            queue.waiting.append(_Waiting(ticket, position, text.ids, self._arrivals))
        self._metrics.queue_texts.labels(release.task).inc(len(texts))
        if not self._pumping and self._free_lanes:
            # Soon, not now: requests that were read in the same turn of the loop share the first batch.
            self._pumping = True
            loop.call_soon(self._pump)
        await ticket.future
        return [placed for placed in ticket.placed if placed is not None]

    async def stop(self) -> None:
        """Refuse more and what still waits, and finish the runs that were begun."""
        self._stopping = True
        for queue in self._queues.values():
            for one in queue.waiting:
                if not one.ticket.future.done():
                    one.ticket.future.set_exception(StoppingError())
        self._queues.clear()
        await asyncio.to_thread(self._executor.shutdown, wait=True)

    def _admit(self, task: str, tokens: int) -> None:
        if self._stopping:
            raise StoppingError
        waiting = self._tokens.get(task, 0)
        # A request larger than the whole bound is still served when nothing else waits.
        if waiting and waiting + tokens > self._queue_tokens:
            seconds = max(1, min(_MAX_RETRY_AFTER, math.ceil(waiting / self._rate)))
            raise QueueFullError(task, self._queue_tokens, seconds)
        self._tokens[task] = waiting + tokens

    def _pump(self) -> None:
        self._pumping = False
        while self._free_lanes and not self._stopping:
            queue = min(self._queues.values(), key=lambda found: found.waiting[0].arrival, default=None)
            if queue is None:
                return
            batch = self._take(queue)
            if batch:
                self._dispatch(queue.release, batch)

    def _take(self, queue: _Queue) -> list[_Waiting]:
        """The next batch, removed from its queue; what a caller no longer waits for is dropped unseen."""
        task = queue.release.task
        alive = [one for one in queue.waiting if not one.ticket.future.done()]
        chosen = form_batch([len(one.ids) for one in alive], self._batch_tokens)
        gone = set(chosen)
        batch = [alive[position] for position in chosen]
        left = [one for position, one in enumerate(alive) if position not in gone]
        self._metrics.queue_texts.labels(task).dec(len(queue.waiting) - len(left))
        self._tokens[task] = sum(
            len(one.ids)
            for other in self._queues.values()
            if other.release.task == task
            for one in (left if other is queue else other.waiting)
        )
        queue.waiting = left
        if not left:
            del self._queues[queue.release]
        return batch

    def _dispatch(self, release: LoadedRelease, batch: list[_Waiting]) -> None:
        rows = [one.ids for one in batch]
        tokens = len(rows) * max(len(row) for row in rows)
        self._free_lanes -= 1
        self._metrics.batch_size.labels(release.task).observe(len(rows))
        self._metrics.batch_tokens.labels(release.task).observe(tokens)
        started = time.monotonic()
        run = asyncio.get_running_loop().run_in_executor(self._executor, release.predict, rows)
        run.add_done_callback(lambda done: self._finished(done, batch, tokens, started))

    def _finished(self, done: asyncio.Future[BatchOutput], batch: list[_Waiting], tokens: int, started: float) -> None:
        self._free_lanes += 1
        # The next run starts before the answers of this one are written.
        self._pump()
        error = done.exception()
        if error is not None:
            for one in batch:
                if not one.ticket.future.done():
                    one.ticket.future.set_exception(error)
            return
        self._rate += 0.1 * (tokens / max(time.monotonic() - started, 1e-6) - self._rate)
        output = done.result()
        for row, one in enumerate(batch):
            ticket = one.ticket
            ticket.placed[one.position] = Placed(output, row)
            ticket.missing -= 1
            if not ticket.missing and not ticket.future.done():
                ticket.future.set_result(None)
