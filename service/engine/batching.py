"""Which waiting texts a lane takes next, and which of them share a session run: pure choices by arrival and length.

Taking by arrival keeps latencies close together; running by length keeps padding out. Choosing the best lengths among
all that waits would pad as little, but leave texts of rare lengths waiting twice as long as the others.
"""

from __future__ import annotations

from collections.abc import Sequence

# A lane is not woken for less: that is mostly overhead.
LEAST_SHARE_TOKENS = 16
# So many times what a run costs beside its tokens fills a few runs well. Of more than that, a lane takes half of its
# fair share at a time: whoever comes meanwhile then waits for half as long, and throughput stays as it is.
WORTHWHILE = 10


def form_turn(lengths: Sequence[int], token_budget: int, lanes: int, overhead: float) -> list[list[int]]:
    """Positions of the texts that a lane takes now, in the runs that it makes of them.

    `lengths` are tokens of the waiting texts (each >= 1) in order of arrival; `overhead` is what a session run costs
    beside its tokens, in tokens. The oldest are taken, as many as keep within `token_budget` and `turn_tokens`, and at
    least one.
    """
    left = min(token_budget, turn_tokens(sum(lengths), lanes, overhead))
    count = 0
    for length in lengths:
        left -= length
        if left < 0 and count:
            break
        count += 1
    return form_runs(lengths[:count], overhead)


def turn_tokens(waiting: int, lanes: int, overhead: float) -> int:
    """How many of the tokens that wait one of the lanes takes at a time."""
    share = -(-waiting // lanes)
    return max(-(-share // 2), min(share, round(WORTHWHILE * overhead)), LEAST_SHARE_TOKENS)


def form_runs(lengths: Sequence[int], overhead: float) -> list[list[int]]:
    """Positions of all texts in runs, each shortest first, so that all runs together cost least.

    A run costs `overhead` + texts x longest text. In order of length, the cheapest runs are stretches, and texts of one
    length share one: dynamic programming over the lengths that there are.
    """
    order = sorted(range(len(lengths)), key=lengths.__getitem__)  # ties go by arrival
    # Of the k shortest lengths: how many texts have them, what these cost at least, and where their last run begins.
    counts, costs, begins = [0], [0.0], [0]
    last = len(order)
    for count, position in enumerate(order, start=1):
        length = lengths[position]
        if count < last and lengths[order[count]] == length:
            continue
        begin = len(costs) - 1
        least = costs[begin] + length * (count - counts[begin])
        # Once it costs an overhead more, no longer stretch is cheapest: to part it there would save more.
        for at in range(begin - 1, -1, -1):
            cost = costs[at] + length * (count - counts[at])
            if cost < least:
                least, begin = cost, at
            elif cost > least + overhead:
                break
        counts.append(count)
        costs.append(least + overhead)
        begins.append(begin)
    runs: list[list[int]] = []
    end = len(counts) - 1
    while end:
        begin = begins[end]
        runs.append(order[counts[begin] : counts[end]])
        end = begin
    # Whose oldest text came first goes first: the average stays, and nobody waits twice.
    return sorted(runs, key=min)
