from __future__ import annotations

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from service.engine.batching import LEAST_SHARE_TOKENS, RUN_OVERHEAD_TOKENS, form_runs, form_turn

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
    bound = min(budget, max(-(-sum(lengths) // lanes), LEAST_SHARE_TOKENS))
    assert sum(lengths[: len(taken)]) <= bound or len(taken) == 1
    if len(taken) < len(lengths):
        assert sum(lengths[: len(taken) + 1]) > bound, "nothing that fits is left"


@given(LENGTHS, BUDGETS, LANES)
def test_as_many_turns_as_lanes_take_all_where_the_budget_allows(lengths: list[int], budget: int, lanes: int) -> None:
    left, turns = lengths, 0
    while left:
        left = left[sum(map(len, form_turn(left, budget, lanes))) :]
        turns += 1
    assert turns <= len(lengths)
    if lanes == 1 and budget >= sum(lengths):
        assert turns <= 1


@given(LENGTHS)
def test_every_text_is_in_one_run_shortest_first(lengths: list[int]) -> None:
    runs = form_runs(lengths)
    order = [position for run in runs for position in run]
    assert sorted(order) == list(range(len(lengths)))
    assert [lengths[position] for position in order] == sorted(lengths)
    assert all(a < b for a, b in pairwise(order) if lengths[a] == lengths[b]), "ties go by arrival"


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
    assert form_turn([10, 10, 256, 11, 10], 4096, 1) == [[0, 1, 4, 3], [2]]


def test_two_lanes_share_two_texts() -> None:
    assert form_turn([20, 20], 256, 2) == [[0]]


def test_nothing_waits() -> None:
    assert form_turn([], 512, 2) == []
