"""Which rows make up which batch: random, and yet hardly padded."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

_BATCHES_SORTED_TOGETHER = 50  # as many as the `LengthGroupedSampler` of transformers


def grouped_by_length(lengths: Sequence[int], batch_size: int, *, seed: int, epoch: int) -> list[list[int]]:
    """All rows in random order, in batches whose texts are of about one length, the batches in random order.

    A function of its arguments alone: what an epoch is made of can be told without having run the ones before it.
    """
    rng = np.random.default_rng((seed, epoch))
    order = rng.permutation(len(lengths))
    sizes = np.asarray(lengths)
    batches: list[list[int]] = []
    for start in range(0, len(order), batch_size * _BATCHES_SORTED_TOGETHER):
        together = order[start : start + batch_size * _BATCHES_SORTED_TOGETHER]
        together = together[np.argsort(sizes[together], kind="stable")]
        batches += [together[at : at + batch_size].tolist() for at in range(0, len(together), batch_size)]
    return [batches[index] for index in rng.permutation(len(batches))]


def within_tokens(rows: Sequence[int], lengths: Sequence[int], most: int) -> Iterator[list[int]]:
    """The rows in order, cut where a part's padded size, rows times longest, would exceed `most` tokens."""
    part: list[int] = []
    longest = 0
    for row in rows:
        longest = max(longest, lengths[row])
        if part and longest * (len(part) + 1) > most:
            yield part
            part, longest = [], lengths[row]
        part.append(row)
    if part:
        yield part
