"""Runs waiting texts in batches: at once when idle, gathering while busy; no polling, no fixed delay.

Lanes are threads that take the next batch themselves when a run is over, so that none waits for the event loop, which
has HTTP to do. Each runs on one core: measured on int8 models, two runs side by side answer half as much again as one
run on two cores. Only a text that is alone gets all cores.
"""

from __future__ import annotations

import asyncio
import logging
import math
import operator
import threading
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace
from functools import partial

from service.engine.backlog import Backlog, Batch, Placed, Ticket
from service.engine.crowd import Crowd
from service.engine.encoding import EncodedText
from service.engine.loop_inbox import LoopInbox
from service.engine.model import LoadedRelease
from service.engine.session_run import outcomes_of
from service.engine.shadow_work import ShadowQueue, ShadowWork, score
from service.errors import DeadlineError, HungUpError, QueueFullError, StoppingError, WaitTooLongError
from service.metrics import ServiceMetrics

logger = logging.getLogger(__name__)

# Tokens a second and lane that are taken for granted before the first run has been timed.
_FIRST_RATE = 10_000.0
_MAX_RETRY_AFTER = 60
# How often deadlines are looked at, and how long a request waits before anybody asks whether its caller is still there:
# most are answered long before, and pay nothing for it.
_SWEEP_SECONDS = 0.05
_PATIENCE_SECONDS = 1.0
# Few texts have fewer tokens: where not even these fit, a text is refused before it is tokenized.
_FEW_TOKENS = 8


class Scheduler:
    """Lives on one event loop. A text keeps the release it came in with: a swap changes nothing for what waits."""

    def __init__(self, *, batch_tokens: int, queue_tokens: int, metrics: ServiceMetrics, lanes: int = 1) -> None:
        self._queue_tokens = queue_tokens
        self._metrics = metrics
        self._backlog = Backlog(batch_tokens, lanes)
        self._shadows = ShadowQueue()
        # Guards everything above and below that lanes touch.
        self._lock = threading.Lock()
        self._work = threading.Condition(self._lock)
        self._idle = 0
        self._busy = 0
        self._stopping = False
        self._waking = False
        self._crowd = Crowd()
        self._inbox = LoopInbox()
        self._rate = _FIRST_RATE * lanes
        self._loop: asyncio.AbstractEventLoop | None = None
        self._sweeping: asyncio.TimerHandle | None = None
        self._lanes = [threading.Thread(target=self._lane, name=f"lane-{n}", daemon=True) for n in range(lanes)]

    def check_room(self, task: str) -> None:
        """Raises QueueFullError where hardly any text would be taken; to ask costs less than to make one ready."""
        self._admit(task, _FEW_TOKENS, math.inf)

    async def predict(
        self,
        release: LoadedRelease,
        texts: Sequence[EncodedText],
        *,
        deadline: float = math.inf,
        hung_up: Callable[[], Awaitable[object]] | None = None,
    ) -> Ticket:
        """The request's ticket with every row of every text placed, in their order.

        `deadline` is monotonic; `hung_up` returns when the caller is gone. Raises QueueFullError, WaitTooLongError,
        DeadlineError, HungUpError, ModelOutputError or StoppingError.
        """
        loop = self._loop or self._start()
        rows = [row for text in texts for row in text.rows]
        tokens, count = sum(map(len, rows)), len(rows)
        now = time.monotonic()
        self._crowd.came(now)
        ticket = Ticket(release, loop.create_future(), now, deadline, [None] * count, count, hung_up)
        with self._lock:
            self._admit(release.task, tokens, deadline - now)
            self._backlog.add(ticket, rows, tokens)
            # Soon, not now: requests that were read in the same turn of the loop share the first batch.
            wake = self._idle and not self._waking
        if wake:
            self._waking = True
            loop.call_soon(self._wake)
        if self._sweeping is None:
            self._sweeping = loop.call_later(_SWEEP_SECONDS, self._sweep)
        try:
            await ticket.future
        except asyncio.CancelledError:
            self._give_up(ticket)
            raise
        finally:
            if ticket.watcher is not None:
                ticket.watcher.cancel()
        return ticket

    def offer(self, work: ShadowWork) -> bool:
        """Score texts with a shadow when no caller waits. False, at once, where too many wait already."""
        with self._lock:
            fits = not self._stopping and self._shadows.add(work)
            if fits:
                self._work.notify()
        return fits

    async def stop(self, seconds: float = math.inf) -> None:
        """Refuse more and what still waits, and finish the runs that were begun, within the bound."""
        until = time.monotonic() + seconds
        with self._lock:
            self._stopping = True
            waiting = self._backlog.tickets()
            self._backlog.remove(*waiting)
            self._work.notify_all()
        for ticket in waiting:
            ticket.fail(StoppingError())
        if self._sweeping is not None:
            self._sweeping.cancel()
        for lane in self._lanes if self._loop is not None else ():
            await asyncio.to_thread(lane.join, None if seconds == math.inf else max(0.0, until - time.monotonic()))

    def _start(self) -> asyncio.AbstractEventLoop:
        self._loop = asyncio.get_running_loop()
        self._inbox.open(self._loop)
        for lane in self._lanes:
            lane.start()
        return self._loop

    def _admit(self, task: str, tokens: int, patience: float) -> None:
        """Refusing early is kinder than answering late: what cannot be in time is told so at once."""
        if self._stopping:
            raise StoppingError
        waiting = self._backlog.tokens[task]
        # A request larger than the whole bound is still served when nothing else waits.
        if not waiting:
            return
        seconds = self._backlog.ahead(task) / self._rate
        retry_after = max(1, min(_MAX_RETRY_AFTER, math.ceil(seconds)))
        if waiting + tokens > self._queue_tokens:
            raise QueueFullError(f"Task {task}", self._queue_tokens, "tokens", retry_after)
        if seconds > patience:
            raise WaitTooLongError(task, seconds, max(0.0, patience), retry_after)

    def _wake(self) -> None:
        self._waking = False
        with self._lock:
            brief = self._backlog.next_is_brief()
            # A short text that came alone is run here: to hand it to a thread, and its answer back, would take longer
            # by a tenth. Who comes meanwhile waits, so that where that happens lanes run all for a while. A network
            # that is hardly anything is always run here.
            here = not self._busy and (brief or self._alone_for_long())
            batch = self._backlog.take(busy=0) if here else None
            if batch is not None:
                self._busy += 1
            else:
                self._work.notify(min(self._idle, self._backlog.texts))
        if batch is not None:
            try:
                self._run(batch, operator.call)
            finally:
                self._ran_here(brief=brief)

    def _ran_here(self, *, brief: bool) -> None:
        if not brief:
            self._crowd.ran()
        with self._lock:
            self._busy -= 1
            if self._shadows:
                # A lane that was told of them meanwhile found this busy and went to sleep again.
                self._work.notify()
            more = bool(self._backlog.texts)
        if more and not self._waking:
            self._waking = True
            asyncio.get_running_loop().call_soon(self._wake)

    def _alone_for_long(self) -> bool:
        """Whether one short text waits and no more, and hardly anybody else is about to come."""
        return self._backlog.lone_text_is_short() and self._crowd.has_gone(time.monotonic())

    def _sweep(self) -> None:
        """Drop what nobody waits for any more, and begin to ask after callers that have waited long."""
        now = time.monotonic()
        with self._lock:
            tickets = self._backlog.tickets()
            late = [ticket for ticket in tickets if ticket.deadline <= now]
            self._backlog.remove(*late)
            waiting = dict(self._backlog.tokens)
        for task, tokens in waiting.items():
            self._metrics.queue_tokens.labels(task).set(tokens)
        for ticket in late:
            ticket.fail(DeadlineError())
        for ticket in tickets:
            if ticket.hung_up is not None and ticket.watcher is None and now - ticket.arrived >= _PATIENCE_SECONDS:
                ticket.watcher = asyncio.ensure_future(ticket.hung_up())
                ticket.watcher.add_done_callback(partial(self._hung_up, ticket))
        self._sweeping = asyncio.get_running_loop().call_later(_SWEEP_SECONDS, self._sweep) if tickets else None

    def _hung_up(self, ticket: Ticket, watcher: asyncio.Task[object]) -> None:
        if not watcher.cancelled() and not ticket.future.done():
            self._give_up(ticket)
            ticket.fail(HungUpError())

    def _give_up(self, ticket: Ticket) -> None:
        with self._lock:
            self._backlog.remove(ticket)

    def _lane(self) -> None:
        while (work := self._next()) is not None:
            try:
                if isinstance(work, ShadowWork):
                    self._run_shadow(work)
                else:
                    self._run(work, self._inbox.put)
            finally:
                with self._lock:
                    self._busy -= 1

    def _next(self) -> Batch | ShadowWork | None:
        """Blocks until there is something to do; None when the lanes are to end."""
        with self._lock:
            while not self._stopping:
                batch = self._backlog.take(busy=self._busy)
                if batch is not None:
                    self._busy += 1
                    return batch
                # One lane stays free for callers, unless it is the only one.
                if self._shadows and (not self._busy or self._busy < len(self._lanes) - 1):
                    self._busy += 1
                    return self._shadows.take()
                self._idle += 1
                self._work.wait()
                self._idle -= 1
        return None

    def _run(self, batch: Batch, tell: Callable[..., None]) -> None:
        started = time.monotonic()
        late = [one for one in batch.texts if one.ticket.deadline <= started]
        if late:
            # What nobody waits for any more is not run.
            for one in late:
                tell(one.ticket.fail, DeadlineError())
            batch = replace(batch, texts=[one for one in batch.texts if one.ticket.deadline > started])
            if not batch.texts:
                return
        try:
            outcomes = outcomes_of(batch)
        except Exception as error:
            # Whatever it is, the lane goes on and the callers are told.
            logger.exception("A batch of %s/%s failed.", batch.release.task, batch.release.version)
            outcomes = [error] * len(batch.texts)
        tokens = len(batch.texts) * len(batch.texts[-1].ids)
        at_once = 1 if batch.is_wide else len(self._lanes)
        rate = at_once * tokens / max(time.monotonic() - started, 1e-6)
        self._metrics.ran(batch.release.task, [len(one.ids) for one in batch.texts], tokens)
        tell(self._finished, batch, outcomes, started, rate)

    def _finished(self, batch: Batch, outcomes: list[Placed | Exception], started: float, rate: float) -> None:
        self._rate += 0.05 * (rate - self._rate)
        now = time.monotonic()
        for one, outcome in zip(batch.texts, outcomes, strict=True):
            ticket = one.ticket
            if isinstance(outcome, Exception):
                self._metrics.model_failures.labels(batch.release.task, batch.release.version).inc()
                ticket.fail(outcome)
                continue
            ticket.placed[one.position] = outcome
            ticket.run_started = started
            ticket.missing -= 1
            if ticket.deadline <= now:
                ticket.fail(DeadlineError())
            elif not ticket.missing and not ticket.future.done():
                ticket.future.set_result(None)

    def _run_shadow(self, work: ShadowWork) -> None:
        try:
            score(work, self._backlog.batch_tokens, self._run_callers)
        except Exception:
            logger.exception("The shadow %s/%s failed.", work.release.task, work.release.version)
            self._metrics.model_failures.labels(work.release.task, work.release.version).inc(len(work.texts))

    def _run_callers(self) -> bool:
        """In the midst of a shadow's work: whoever came meanwhile goes first. False once the service stops."""
        while True:
            with self._lock:
                batch = self._backlog.take(busy=self._busy - 1)
            if batch is None:
                return not self._stopping
            self._run(batch, self._inbox.put)
