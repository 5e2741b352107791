from __future__ import annotations

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from service.engine.batching import (
    LEAST_SHARE_TOKENS,
    RUN_OVERHEAD_TOKENS,
    WORTHWHILE_TOKENS,
    form_runs,
    form_turn,
    turn_tokens,
)

LENGTHS = st.lists(st.integers(1, 512), max_size=80)
BUDGETS = st.integers(1, 4096)
LANES = st.integers(1, 16)


def cost(lengths: list[int], run: list[int]) -> int:
    return len(run) * max(lengths[position] for position in run)


@given(LENGTHS, BUDGETS, LANES)
def test_the_oldest_are_taken_within_the_budget_and_a_fair_share(lengths: list[int], budget: int, lanes: int) -> None:
    taken = sorted(position for run in form_turn(lengths, budget, lanes) for position in run)
    assert taken == list(range(len(taken))), "each once, and no older one is left behind"
    assert bool(taken) == bool(lengths)
    bound = min(budget, turn_tokens(sum(lengths), lanes))
    assert sum(lengths[: len(taken)]) <= bound or len(taken) == 1
    if len(taken) < len(lengths):
        assert sum(lengths[: len(taken) + 1]) > bound, "nothing that fits is left"


@given(st.integers(0, 10**6), LANES)
def test_a_turn_is_no_more_than_a_fair_share_and_no_less_than_half_of_it(waiting: int, lanes: int) -> None:
    share = waiting / lanes
    taken = turn_tokens(waiting, lanes)
    assert max(share / 2, LEAST_SHARE_TOKENS) <= taken < max(share, LEAST_SHARE_TOKENS) + 1
    if share >= 2 * WORTHWHILE_TOKENS:
        assert taken < share / 2 + 1
    assert turn_tokens(waiting + 1, lanes) >= taken


@given(LENGTHS, BUDGETS, LANES)
def test_turn_after_turn_takes_all(lengths: list[int], budget: int, lanes: int) -> None:
    left, turns = lengths, 0
    while left:
        left = left[sum(map(len, form_turn(left, budget, lanes))) :]
        turns += 1
    assert turns <= len(lengths)


@given(LENGTHS)
def test_every_text_is_in_one_run_with_its_like_shortest_first(lengths: list[int]) -> None:
    runs = form_runs(lengths)
    by_length = sorted(runs, key=lambda run: (lengths[run[0]], run[0]))
    order = [position for run in by_length for position in run]
    assert sorted(order) == list(range(len(lengths)))
    assert [lengths[position] for position in order] == sorted(lengths)
    assert all(a < b for run in runs for a, b in pairwise(run) if lengths[a] == lengths[b]), "ties go by arrival"


@given(LENGTHS)
def test_the_run_with_the_oldest_text_goes_first(lengths: list[int]) -> None:
    oldest = [min(run) for run in form_runs(lengths)]
    assert oldest == sorted(oldest)


@given(LENGTHS)
def test_padding_costs_less_than_the_runs_it_saves(lengths: list[int]) -> None:
    runs = form_runs(lengths)
    for run in runs:
        wasted = cost(lengths, run) - sum(lengths[position] for position in run)
        assert wasted <= RUN_OVERHEAD_TOKENS * (len(run) - 1)
    paid = sum(cost(lengths, run) + RUN_OVERHEAD_TOKENS for run in runs)
    assert paid <= sum(lengths) + RUN_OVERHEAD_TOKENS * len(lengths), "never dearer than a run for each"


def test_equal_texts_share_a_run() -> None:
    assert form_runs([7] * 30) == [list(range(30))]


def test_a_long_text_does_not_pad_short_ones() -> None:
    assert form_runs([10, 10, 256, 11, 10]) == [[0, 1, 4, 3], [2]]


def test_two_lanes_share_two_texts() -> None:
    assert form_turn([20, 20], 256, 2) == [[0]]


def test_nothing_waits() -> None:
    assert form_turn([], 512, 2) == []
