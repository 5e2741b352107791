"""What a session run costs on one core, measured on the machine that serves: how texts share runs depends on it.

Where weights come from memory faster than they are used, a run of one text costs hardly more a token than one of many;
where they do not (small caches, shared machines), it costs twice as much, and fewer and larger runs are better.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace

# Of an int8 MiniLM on a server's core: a run costs what 4 tokens do, the interpreter's part included.
USUAL_OVERHEAD = 4.0
_LEAST_OVERHEAD = 2.0
_MOST_OVERHEAD = 32.0
_MANY = 8
_TIMES = 5
# Where a text is alone the other cores have nothing to do; but to share it among them costs half as much again, and one
# of them may be busy with the callers. That is worth it where it is a fifth faster.
_LENGTHS = (16, 32, 64, 128, 256)
_FASTER = 0.8
_WIDE_TIMES = 3


@dataclass(frozen=True)
class RunCost:
    """A run over n tokens, padding included, takes (overhead + n) x token_seconds."""

    token_seconds: float
    overhead: float = USUAL_OVERHEAD  # in tokens
    wide_from: float = math.inf  # tokens of a text alone from which on all cores are a fifth faster than one

    def seconds(self, tokens: int) -> float:
        """Of a run over so many tokens."""
        return (self.overhead + tokens) * self.token_seconds


def run_cost(tokens: int, alone: float, among_many: float) -> RunCost:
    """From the seconds of a run over one text of so many tokens, and of one over 8 of them.

    The line through both; an overhead that cannot be (the machine had other work just then) is cut to 2 to 32 tokens,
    and the cost of a run over one text stays as measured.
    """
    slope = (among_many - alone) / ((_MANY - 1) * tokens)
    overhead = alone / slope - tokens if slope > 0 else _MOST_OVERHEAD
    overhead = min(max(overhead, _LEAST_OVERHEAD), _MOST_OVERHEAD)
    return RunCost(alone / (tokens + overhead), overhead)


def measure(run: Callable[[int], float], tokens: int) -> RunCost:
    """`run` runs so many texts of `tokens` tokens and returns seconds; the fastest of five counts.

    The machine may have other work just now: runs of one text and of many take turns.
    """
    timed = [(run(1), run(_MANY)) for _ in range(_TIMES)]
    return run_cost(tokens, min(alone for alone, _ in timed), min(many for _, many in timed))


def measure_wide(cost: RunCost, run: Callable[[int, bool], float], most: int) -> RunCost:
    """With `wide_from`: `run` runs one text of so many tokens, on all cores or on one, and returns seconds.

    `most` are the tokens of the longest text.
    """
    for tokens in (*(length for length in _LENGTHS if length < most), most):
        timed = [(run(tokens, True), run(tokens, False)) for _ in range(_WIDE_TIMES)]
        if min(wide for wide, _ in timed) < _FASTER * min(narrow for _, narrow in timed):
            return replace(cost, wide_from=tokens)
    return cost
