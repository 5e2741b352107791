"""Which waiting texts share one session run: a pure choice by arrival and length."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence

# What a session run costs beside its tokens, in tokens: an int8 MiniLM takes 1.6 ms for a text of 15 tokens alone
# and 0.95 ms in a batch of 16 of its like, which leaves 0.65 ms, the price of about ten tokens. Rounded up to a power.
RUN_OVERHEAD_TOKENS = 16
# Texts considered at once, so that choosing stays cheap however long the queue is.
LOOK_AHEAD = 1024
# A run of less than this is mostly overhead; it is not worth waking another lane for.
LEAST_SHARE_TOKENS = 64


def form_batch(lengths: Sequence[int], token_budget: int) -> list[int]:
    """Positions of the texts to run now, the oldest always among them, shortest first.

    `lengths` are tokens of the waiting texts (each >= 1) in order of arrival. A run costs texts x longest text,
    padding included; it stays within `token_budget` unless the oldest text alone is longer. A text joins only
    while the padding it causes is cheaper than a session run of its own.
    """
    if not lengths:
        return []
    considered = min(len(lengths), LOOK_AHEAD)
    # Ties in length go by arrival, so the oldest text (position 0) is the first of its length.
    order = sorted(range(considered), key=lengths.__getitem__)
    anchor = bisect_left(order, lengths[0], key=lengths.__getitem__)
    low = high = anchor
    longest = lengths[0]
    while True:
        count = high - low + 1
        # Padding that the next shorter and the next longer text would cause; None where it may not join.
        shorter = longest - lengths[order[low - 1]] if low > 0 else None
        longer = count * (lengths[order[high + 1]] - longest) if high + 1 < considered else None
        if shorter is not None and (shorter > RUN_OVERHEAD_TOKENS or (count + 1) * longest > token_budget):
            shorter = None
        if longer is not None and (
            longer > RUN_OVERHEAD_TOKENS or (count + 1) * lengths[order[high + 1]] > token_budget
        ):
            longer = None
        if shorter is not None and (longer is None or shorter <= longer):
            low -= 1
        elif longer is not None:
            high += 1
            longest = lengths[order[high]]
        else:
            return order[low : high + 1]


def share_of(tokens: int, lanes: int, token_budget: int) -> int:
    """Tokens of one batch where `tokens` wait and `lanes` can run side by side: a fair share, within the budget.

    Never so small that runs cost more than they save.
    """
    return min(token_budget, max(-(-tokens // lanes), LEAST_SHARE_TOKENS))
