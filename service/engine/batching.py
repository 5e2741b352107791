"""Which waiting texts a lane takes next, and which of them share a session run: pure choices by arrival and length.

Taking by arrival keeps latencies close together; running by length keeps padding out. Choosing the best lengths among
all that waits would pad as little, but leave texts of rare lengths waiting twice as long as the others.
"""

from __future__ import annotations

from collections.abc import Sequence

# What a session run costs beside its tokens, in tokens: of an int8 MiniLM on one core, a text of 15 tokens takes
# 0.85 ms alone and 0.75 ms among its like, and a run costs the interpreter another 0.1 ms; a token takes 0.05 ms.
RUN_OVERHEAD_TOKENS = 4
# A lane is not woken for less: that is mostly overhead.
LEAST_SHARE_TOKENS = 16
# So much fills a few runs well. Of more than that, a lane takes half of its fair share at a time: whoever comes
# meanwhile then waits for half as long, and throughput stays as it is.
WORTHWHILE_TOKENS = 40


def form_turn(lengths: Sequence[int], token_budget: int, lanes: int) -> list[list[int]]:
    """Positions of the texts that a lane takes now, in the runs that it makes of them.

    `lengths` are tokens of the waiting texts (each >= 1) in order of arrival. The oldest are taken, as many as keep
    within `token_budget` and `turn_tokens`, and at least one.
    """
    left = min(token_budget, turn_tokens(sum(lengths), lanes))
    count = 0
    for length in lengths:
        left -= length
        if left < 0 and count:
            break
        count += 1
    return form_runs(lengths[:count])


def turn_tokens(waiting: int, lanes: int) -> int:
    """How many of the tokens that wait one of the lanes takes at a time."""
    share = -(-waiting // lanes)
    return max(-(-share // 2), min(share, WORTHWHILE_TOKENS), LEAST_SHARE_TOKENS)


def form_runs(lengths: Sequence[int]) -> list[list[int]]:
    """Positions of all texts in runs, each shortest first, parted where padding would cost more than another run.

    A run costs texts x longest text; a text joins the shorter ones before it while the padding that it causes them is
    at most RUN_OVERHEAD_TOKENS.
    """
    runs: list[list[int]] = []
    longest = 0
    # Ties in length go by arrival.
    for position in sorted(range(len(lengths)), key=lengths.__getitem__):
        length = lengths[position]
        if runs and len(runs[-1]) * (length - longest) <= RUN_OVERHEAD_TOKENS:
            runs[-1].append(position)
        else:
            runs.append([position])
        longest = length
    # Whose oldest text came first goes first: the average stays, and nobody waits twice.
    return sorted(runs, key=min)
