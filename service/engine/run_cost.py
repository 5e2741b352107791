"""What a session run costs on one core, measured on the machine that serves: how texts share runs depends on it.

Where weights come from memory faster than they are used, a run of one text costs hardly more a token than one of many;
where they do not (small caches, shared machines), it costs twice as much, and fewer and larger runs are better.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

# Of an int8 MiniLM on a server's core: a run costs what 4 tokens do, the interpreter's part included.
USUAL_OVERHEAD = 4.0
_LEAST_OVERHEAD = 2.0
_MOST_OVERHEAD = 32.0
_LEAST_PADDED = 0.05
_MOST_SQUARE = 0.02  # of MiniLM it is 0.003
_MANY = 8
_SHORT = 3  # tokens: no text has fewer that has a word
_TIMES = 5
# Where runs take longer, what else the machine does matters less, and whoever starts the service waits.
_ENOUGH_SECONDS = 2.0
# Where a text is alone the other cores have nothing to do; but to share it among them costs half as much again, and one
# of them may be busy with the callers. That is worth it where it is a fifth faster.
_LENGTHS = (16, 32, 64, 128, 256)
_FASTER = 0.8
_WIDE_TIMES = 3


@dataclass(frozen=True)
class RunCost:
    """What a run over n tokens, the longest of whose b texts has t, takes.

    (overhead + (1 - padded) x n + padded x b x t + square x b x t^2) x token_seconds. Graphs that leave padding out pay
    for it in attention alone.
    """

    token_seconds: float
    overhead: float = USUAL_OVERHEAD  # in tokens
    padded: float = 1.0  # what a place of padding costs, in tokens
    square: float = 0.0
    wide_from: float = math.inf  # tokens of a text alone from which on all cores are a fifth faster than one

    def seconds(self, tokens: int) -> float:
        """Of a run over one text of so many tokens."""
        return (self.overhead + tokens + self.square * tokens**2) * self.token_seconds

    def place(self, longest: int) -> float:
        """What a text costs, in tokens, for standing beside one that has so many, whatever it has itself."""
        return (self.padded + self.square * longest) * longest


def run_cost(tokens: int, alone: float, among_many: float) -> RunCost:
    """From the seconds of a run over one text of so many tokens, and of one over 8 of them.

    The line through both; an overhead that cannot be (the machine had other work just then) is cut to 2 to 32 tokens,
    and the cost of a run over one text stays as measured.
    """
    slope = (among_many - alone) / ((_MANY - 1) * tokens)
    overhead = alone / slope - tokens if slope > 0 else _MOST_OVERHEAD
    overhead = min(max(overhead, _LEAST_OVERHEAD), _MOST_OVERHEAD)
    return RunCost(alone / (tokens + overhead), overhead)


def measure(run: Callable[[Sequence[int]], float], tokens: int, most: int) -> RunCost:
    """`run` runs texts of so many tokens each and returns seconds; of each kind of run, the fastest counts.

    One of `tokens` tokens, alone, among its like, and beside short ones, and one of `most` tokens, five times each, or
    until two seconds are over. The machine may have other work just now: runs take turns.
    """
    like, unlike = [tokens] * _MANY, [tokens] + [_SHORT] * (_MANY - 1)
    timed: list[tuple[float, float, float, float]] = []
    while len(timed) < _TIMES and sum(map(sum, timed)) < _ENOUGH_SECONDS:
        timed.append((run([tokens]), run(like), run(unlike), run([most])))
    alone, many, uneven, long = (min(times) for times in zip(*timed, strict=True))
    found = run_cost(tokens, alone, many)
    slope = (many - alone) / (sum(like) - tokens)  # seconds a token, which those of `found` are not where it was cut
    if slope <= 0:
        return found
    spared = (many - uneven) / slope / (sum(like) - sum(unlike)) if tokens > _SHORT else 0.0
    square = ((long - alone) / slope - (most - tokens)) / (most**2 - tokens**2) if most > 2 * tokens else 0.0
    return replace(
        found,
        padded=min(max(1.0 - spared, _LEAST_PADDED), 1.0),
        square=min(max(square, 0.0), _MOST_SQUARE),
    )


def measure_wide(cost: RunCost, run: Callable[[int, bool], float], most: int) -> RunCost:
    """With `wide_from`: `run` runs one text of so many tokens, on all cores or on one, and returns seconds.

    `most` are the tokens of the longest text.
    """
    for tokens in (*(length for length in _LENGTHS if length < most), most):
        timed: list[tuple[float, float]] = []
        while len(timed) < _WIDE_TIMES and sum(map(sum, timed)) < _ENOUGH_SECONDS / len(_LENGTHS):
            timed.append((run(tokens, True), run(tokens, False)))
        if min(wide for wide, _ in timed) < _FASTER * min(narrow for _, narrow in timed):
            return replace(cost, wide_from=tokens)
    return cost
