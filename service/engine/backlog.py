"""What waits: texts by release in order of arrival, and how many tokens they are. Values only; callers hold a lock."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from itertools import islice
from typing import NamedTuple

from service.engine.batching import form_run
from service.engine.encoding import EncodedText
from service.engine.model import BatchOutput, LoadedRelease


class Placed(NamedTuple):
    """Where a text's answer lies."""

    output: BatchOutput
    row: int


def settle_all(release: LoadedRelease, texts: Sequence[EncodedText], rows: Sequence[Placed]) -> list[Placed]:
    """Where each text's answer lies, of where those of its rows do."""
    if release.head.settle is None:
        return list(rows)
    found: list[Placed] = []
    left = iter(rows)
    for text in texts:
        own = list(islice(left, len(text.rows)))
        found.append(Placed(release.settle(text, own), 0))
    return found


@dataclass(slots=True, eq=False)
class Ticket:
    """One request: answered when its last text is."""

    release: LoadedRelease
    future: asyncio.Future[None]
    arrived: float  # monotonic
    deadline: float  # monotonic; infinite: none
    placed: list[Placed | None]
    missing: int
    hung_up: Callable[[], Awaitable[object]] | None = None  # returns when the caller is gone
    watcher: asyncio.Task[object] | None = None
    run_started: float = 0.0  # monotonic, of the last run that answered a text of it

    def fail(self, error: Exception) -> None:
        """Tell its caller, unless that was done."""
        if not self.future.done():
            self.future.set_exception(error)

    def answers(self) -> list[Placed]:
        """Where the answer to each of its rows lies, once nothing is missing."""
        return [placed for placed in self.placed if placed is not None]


class Waiting(NamedTuple):
    """One text of a request."""

    ticket: Ticket
    position: int
    ids: list[int]
    arrival: int


@dataclass(frozen=True, slots=True)
class Batch:
    """Texts that share one session run, shortest first. `alone`: nothing else is to do for any lane."""

    release: LoadedRelease
    texts: list[Waiting]
    alone: bool

    @property
    def is_wide(self) -> bool:
        """Whether all cores are to run it."""
        return self.alone and self.release.is_wide(len(self.texts[-1].ids))


@dataclass
class Backlog:
    """Texts of each release; while a release is swapped its task has two.

    Tasks take turns, a run each, so that one with a long queue keeps none of the others waiting; within a task the
    oldest text's release goes first.
    """

    batch_tokens: int
    lanes: int
    texts: int = 0
    tokens: Counter[str] = field(default_factory=Counter)  # by task
    _queues: dict[LoadedRelease, list[Waiting]] = field(default_factory=dict)
    _arrivals: int = 0
    _turns: Counter[str] = field(default_factory=Counter)  # by task: when it had its last turn
    _turn: int = 0

    def add(self, ticket: Ticket, rows: list[list[int]], tokens: int) -> None:
        """All texts of a request, which are `tokens` together."""
        queue = self._queues.setdefault(ticket.release, [])
        for position, ids in enumerate(rows):
            self._arrivals += 1
            queue.append(Waiting(ticket, position, ids, self._arrivals))
        self.texts += len(rows)
        self.tokens[ticket.release.task] += tokens

    def take(self, *, busy: int) -> Batch | None:
        """What a lane runs next, removed; None when nothing waits. `busy` lanes are at work already."""
        queue = min(self._queues.values(), key=self._precedence, default=None)
        if queue is None:
            return None
        release = queue[0].ticket.release
        self._turn += 1
        self._turns[release.task] = self._turn
        alone = not busy and self.texts == 1
        # More texts than tokens are never taken; a long queue is not looked through.
        lengths = [len(one.ids) for one in queue[: self.batch_tokens]]
        run = form_run(lengths, self.batch_tokens, max(1, self.lanes - busy), release.cost)
        batch = Batch(release, [queue[position] for position in run], alone)
        self._account(release, len(run), sum(map(lengths.__getitem__, run)))
        for position in sorted(run, reverse=True):
            del queue[position]
        if not queue:
            del self._queues[release]
        return batch

    def lone_text_is_short(self) -> bool:
        """Whether one text waits and no more, and its run would be over soon."""
        if self.texts != 1:
            return False
        (only,) = next(iter(self._queues.values()))
        return only.ticket.release.is_short(len(only.ids))

    def next_is_brief(self) -> bool:
        """Whether the next run is over before handing it to a lane and back would pay."""
        queue = min(self._queues.values(), key=self._precedence, default=None)
        if queue is None:
            return False
        release = queue[0].ticket.release
        return release.is_brief(min(self.tokens[release.task], self.batch_tokens))

    def remove(self, *tickets: Ticket) -> None:
        """Whatever of these requests still waits: their callers are gone, or their time is over."""
        unwanted = set(map(id, tickets))
        for release in {ticket.release for ticket in tickets} & self._queues.keys():
            queue = self._queues[release]
            left = [one for one in queue if id(one.ticket) not in unwanted]
            tokens = sum(len(one.ids) for one in queue) - sum(len(one.ids) for one in left)
            self._account(release, len(queue) - len(left), tokens)
            if left:
                self._queues[release] = left
            else:
                del self._queues[release]

    def ahead(self, task: str) -> int:
        """Tokens that a text of this task which came now would wait for, about: tasks take turns."""
        busy = sum(1 for tokens in self.tokens.values() if tokens)
        return min(self.tokens.total(), self.tokens[task] * busy)

    def tickets(self) -> list[Ticket]:
        """Every request of which something waits, once."""
        return list({id(one.ticket): one.ticket for queue in self._queues.values() for one in queue}.values())

    def _precedence(self, queue: list[Waiting]) -> tuple[int, int]:
        return self._turns[queue[0].ticket.release.task], queue[0].arrival

    def _account(self, release: LoadedRelease, texts: int, tokens: int) -> None:
        self.texts -= texts
        self.tokens[release.task] -= tokens
