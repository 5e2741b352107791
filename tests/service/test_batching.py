from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from service.batching import LOOK_AHEAD, RUN_OVERHEAD_TOKENS, form_batch

LENGTHS = st.lists(st.integers(1, 512), max_size=80)
BUDGETS = st.integers(1, 4096)


def cost(lengths: list[int], batch: list[int]) -> int:
    return len(batch) * max(lengths[position] for position in batch)


@given(LENGTHS.filter(bool), BUDGETS)
def test_the_oldest_is_always_in_and_the_budget_is_kept(lengths: list[int], budget: int) -> None:
    batch = form_batch(lengths, budget)
    assert 0 in batch
    assert len(set(batch)) == len(batch)
    assert all(0 <= position < len(lengths) for position in batch)
    assert cost(lengths, batch) <= max(budget, lengths[0])


@given(LENGTHS, BUDGETS)
def test_every_text_is_run_exactly_once_and_in_at_most_as_many_runs_as_texts(lengths: list[int], budget: int) -> None:
    waiting = list(enumerate(lengths))
    ran: list[int] = []
    while waiting:
        batch = set(form_batch([length for _, length in waiting], budget))
        ran += [waiting[position][0] for position in batch]
        waiting = [one for position, one in enumerate(waiting) if position not in batch]
    assert sorted(ran) == list(range(len(lengths)))


@given(LENGTHS, BUDGETS)
def test_padding_costs_less_than_the_runs_it_saves(lengths: list[int], budget: int) -> None:
    batch = form_batch(lengths, budget)
    if batch:
        wasted = cost(lengths, batch) - sum(lengths[position] for position in batch)
        assert wasted <= RUN_OVERHEAD_TOKENS * (len(batch) - 1)


@given(st.integers(1, 64), st.integers(1, 200))
def test_equal_texts_fill_the_budget(length: int, count: int) -> None:
    budget = 512
    assert len(form_batch([length] * count, budget)) == min(count, max(1, budget // length))


def test_nothing_waits() -> None:
    assert form_batch([], 512) == []


def test_a_long_text_does_not_pad_short_ones() -> None:
    batch = form_batch([10, 10, 256, 11, 10], 4096)
    assert sorted(batch) == [0, 1, 3, 4]


def test_choosing_looks_at_the_oldest_only() -> None:
    batch = form_batch([5] * (LOOK_AHEAD + 500), 10**6)
    assert sorted(batch) == list(range(LOOK_AHEAD))
