"""Whatever comes, runs and leaves, in whatever order: every text is taken once, and the accounts stay right."""

from __future__ import annotations

import math
from collections import Counter
from dataclasses import dataclass
from typing import Any

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from service.engine.backlog import Backlog, Batch, Ticket
from service.engine.run_cost import RunCost

COST = RunCost(0.001, 4.0)


@dataclass(frozen=True)
class Release:
    """All that a backlog asks of a release."""

    task: str
    version: str
    cost: RunCost = COST


RELEASES = [Release("support", "0001"), Release("support", "0002"), Release("orders", "0001"), Release("spam", "0001")]
ROWS = st.lists(st.integers(1, 40), min_size=1, max_size=6)


class BacklogMachine(RuleBasedStateMachine):
    """A backlog beside a plain list of what should wait in it."""

    @initialize(batch_tokens=st.integers(1, 200), lanes=st.integers(1, 4))
    def start(self, batch_tokens: int, lanes: int) -> None:
        self.backlog = Backlog(batch_tokens, lanes)
        self.waiting: list[tuple[Ticket, int]] = []  # oldest first: ticket, position
        self.lengths: dict[tuple[int, int], int] = {}
        self.tickets: list[Ticket] = []
        self.passed_over: Counter[str] = Counter()

    @rule(release=st.sampled_from(RELEASES), rows=ROWS)
    def add(self, release: Release, rows: list[int]) -> None:
        future: Any = None
        ticket = Ticket(release, future, 0.0, math.inf, [None] * len(rows), len(rows))
        self.tickets.append(ticket)
        self.backlog.add(ticket, [[7] * length for length in rows], sum(rows))
        for position, length in enumerate(rows):
            self.waiting.append((ticket, position))
            self.lengths[id(ticket), position] = length

    @rule(busy=st.integers(0, 3))
    def take(self, busy: int) -> None:
        batch = self.backlog.take(busy=busy)
        assert (batch is None) == (not self.waiting)
        if batch is not None:
            self._check(batch, busy)
            for one in batch.texts:
                self.waiting.remove((one.ticket, one.position))  # once: a second time would fail

    def _check(self, batch: Batch, busy: int) -> None:
        release = batch.release
        assert batch.alone == (busy == 0 and len(self.waiting) == 1)
        lengths = [len(one.ids) for one in batch.texts]
        assert lengths == sorted(lengths)
        assert lengths == [self.lengths[id(one.ticket), one.position] for one in batch.texts]
        assert {one.ticket.release for one in batch.texts} == {release}
        taken = {(id(one.ticket), one.position) for one in batch.texts}
        mine = [(id(ticket), place) for ticket, place in self.waiting if ticket.release is release]
        first = next(ticket.release for ticket, _ in self.waiting if ticket.release.task == release.task)
        assert first is release, "the release of a task's oldest text goes first"
        assert mine[0] in taken, "and so does the text itself"
        for task in {ticket.release.task for ticket, _ in self.waiting} - {release.task}:
            self.passed_over[task] += 1
            assert self.passed_over[task] < len({one.task for one in RELEASES}), "tasks take turns"
        self.passed_over[release.task] = 0

    @rule(data=st.data())
    def leave(self, data: st.DataObject) -> None:
        """Of requests that wait, are half or wholly answered, or left before."""
        leaving = data.draw(st.lists(st.sampled_from(self.tickets), max_size=4)) if self.tickets else []
        self.backlog.remove(*leaving)
        self.waiting = [one for one in self.waiting if not any(one[0] is ticket for ticket in leaving)]

    @invariant()
    def accounts(self) -> None:
        if not hasattr(self, "backlog"):
            return
        tokens: Counter[str] = Counter()
        for ticket, position in self.waiting:
            tokens[ticket.release.task] += self.lengths[id(ticket), position]
        assert {task: count for task, count in self.backlog.tokens.items() if count} == dict(tokens)
        assert all(count >= 0 for count in self.backlog.tokens.values())
        assert self.backlog.texts == len(self.waiting)
        assert {id(ticket) for ticket in self.backlog.tickets()} == {id(ticket) for ticket, _ in self.waiting}
        for release in RELEASES:
            ahead = self.backlog.ahead(release.task)
            assert tokens[release.task] <= ahead <= tokens.total()

    def teardown(self) -> None:
        if hasattr(self, "backlog"):
            while self.waiting:
                self.take(0)
            assert self.backlog.take(busy=0) is None
            assert self.backlog.tokens.total() == self.backlog.texts == 0


TestBacklog = BacklogMachine.TestCase
