"""Which rows make up which batch."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from training.learning.batches import grouped_by_length, within_tokens

LENGTHS = st.lists(st.integers(1, 60), min_size=1, max_size=300)


@given(LENGTHS, st.integers(1, 40), st.integers(0, 9), st.integers(0, 9))
def test_every_row_is_in_one_batch(lengths: list[int], size: int, seed: int, epoch: int) -> None:
    batches = grouped_by_length(lengths, size, seed=seed, epoch=epoch)
    assert sorted(row for batch in batches for row in batch) == list(range(len(lengths)))
    assert all(1 <= len(batch) <= size for batch in batches)
    assert len(batches) == -(-len(lengths) // size)
    assert batches == grouped_by_length(lengths, size, seed=seed, epoch=epoch)


def test_batches_hardly_pad_and_differ_from_epoch_to_epoch() -> None:
    lengths = [5 + (index * 37) % 50 for index in range(3200)]
    batches = grouped_by_length(lengths, 32, seed=1, epoch=0)
    padded = sum(max(lengths[row] for row in batch) * len(batch) for batch in batches)
    assert padded < 1.03 * sum(lengths)
    assert batches != grouped_by_length(lengths, 32, seed=1, epoch=1)
    assert batches != grouped_by_length(lengths, 32, seed=2, epoch=0)
    longest = [max(lengths[row] for row in batch) for batch in batches]
    assert longest != sorted(longest)


@given(LENGTHS, st.integers(1, 200))
def test_parts_hold_the_rows_in_order_and_no_more_tokens_than_asked(lengths: list[int], most: int) -> None:
    rows = list(range(len(lengths)))
    parts = list(within_tokens(rows, lengths, most))
    assert [row for part in parts for row in part] == rows
    for part in parts:
        assert len(part) == 1 or len(part) * max(lengths[row] for row in part) <= most
