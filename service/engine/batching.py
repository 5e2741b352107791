"""Which waiting texts a lane runs next: a pure choice by arrival and length.

The oldest text is always in it, so that nobody is passed over for long; which others go with it is chosen by length
among those that came first: as many as make a run worth its price, or a quarter of a long queue. Choosing among all
that waits would pad hardly less, and texts of rare lengths would wait longer than others (a half made the slowest
hundredth of texts of 5 to 256 tokens wait a seventh longer).
"""

from __future__ import annotations

from collections.abc import Sequence

from service.engine.run_cost import RunCost

# A lane is not woken for less: that is mostly overhead.
LEAST_TOKENS = 16
# So many times what a run costs beside its tokens is worth a run, though others wait behind it: it is a fifteenth then.
# With twenty times, the slowest hundredth of 64 callers waits longer, and hardly more are answered.
WORTHWHILE = 15
# Of the tokens that wait, where that is more.
_WINDOW_SHARE = 4


def form_run(lengths: Sequence[int], token_budget: int, lanes: int, cost: RunCost) -> list[int]:
    """Positions of the texts that share a lane's next run, shortest first.

    `lengths` are tokens of the waiting texts (each >= 1, at least one) in order of arrival; `lanes` are those that have
    nothing to do, this one among them. With its padding, a run of several texts keeps within `token_budget`.
    """
    if len(lengths) == 1:
        return [0]
    left = window_tokens(sum(lengths), lanes, cost.overhead)
    count = 0
    for length in lengths:
        left -= length
        if left < 0 and count:
            break
        count += 1
    run = form_runs(lengths[:count], cost)[0]
    # The farther from the oldest text, the less it is missed.
    while len(run) > 1 and len(run) * lengths[run[-1]] > token_budget:
        run.pop(-1 if run[-1] else 0)
    return run


def window_tokens(waiting: int, lanes: int, overhead: float) -> int:
    """Among how many of the tokens that wait a lane chooses: those that came first."""
    share = -(-waiting // lanes)
    return max(-(-waiting // max(_WINDOW_SHARE, lanes)), min(share, round(WORTHWHILE * overhead)), LEAST_TOKENS)


def form_runs(lengths: Sequence[int], cost: RunCost) -> list[list[int]]:
    """Positions of all texts in runs, each shortest first, so that all runs together cost least.

    Beside what its tokens cost in any run, one costs its overhead, and for each text a place as long as the longest. In
    order of length, the cheapest runs are stretches, and texts of one length share one: dynamic programming over the
    lengths that there are.
    """
    order = sorted(range(len(lengths)), key=lengths.__getitem__)  # ties go by arrival
    # Of the k shortest lengths: how many texts have them, what these cost at least, and where their last run begins.
    counts, costs, begins = [0], [0.0], [0]
    last = len(order)
    for count, position in enumerate(order, start=1):
        length = lengths[position]
        if count < last and lengths[order[count]] == length:
            continue
        place = cost.place(length)
        begin = len(costs) - 1
        least = costs[begin] + place * (count - counts[begin])
        # Once it costs an overhead more, no longer stretch is cheapest: to part it there would save more.
        for at in range(begin - 1, -1, -1):
            paid = costs[at] + place * (count - counts[at])
            if paid < least:
                least, begin = paid, at
            elif paid > least + cost.overhead:
                break
        counts.append(count)
        costs.append(least + cost.overhead)
        begins.append(begin)
    runs: list[list[int]] = []
    end = len(counts) - 1
    while end:
        begin = begins[end]
        runs.append(order[counts[begin] : counts[end]])
        end = begin
    # Whose oldest text came first goes first: the average stays, and nobody waits twice.
    return sorted(runs, key=min)
