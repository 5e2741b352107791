from __future__ import annotations

from itertools import combinations, pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.engine.batching import (
    LEAST_SHARE_TOKENS,
    WORTHWHILE,
    form_runs,
    form_turn,
    turn_tokens,
)

LENGTHS = st.lists(st.integers(1, 512), max_size=80)
BUDGETS = st.integers(1, 4096)
LANES = st.integers(1, 16)
OVERHEADS = st.floats(2.0, 32.0)


def cost(lengths: list[int], run: list[int]) -> int:
    return len(run) * max(lengths[position] for position in run)


@given(LENGTHS, BUDGETS, LANES, OVERHEADS)
def test_the_oldest_are_taken_within_the_budget_and_a_fair_share(
    lengths: list[int], budget: int, lanes: int, overhead: float
) -> None:
    taken = sorted(position for run in form_turn(lengths, budget, lanes, overhead) for position in run)
    assert taken == list(range(len(taken))), "each once, and no older one is left behind"
    assert bool(taken) == bool(lengths)
    bound = min(budget, turn_tokens(sum(lengths), lanes, overhead))
    assert sum(lengths[: len(taken)]) <= bound or len(taken) == 1
    if len(taken) < len(lengths):
        assert sum(lengths[: len(taken) + 1]) > bound, "nothing that fits is left"


@given(st.integers(0, 10**6), LANES, OVERHEADS)
def test_a_turn_is_no_more_than_a_fair_share_and_no_less_than_half_of_it(
    waiting: int, lanes: int, overhead: float
) -> None:
    share = waiting / lanes
    taken = turn_tokens(waiting, lanes, overhead)
    assert max(share / 2, LEAST_SHARE_TOKENS) <= taken < max(share, LEAST_SHARE_TOKENS) + 1
    if share >= 2 * WORTHWHILE * overhead + 1:
        assert taken < share / 2 + 1
    assert turn_tokens(waiting + 1, lanes, overhead) >= taken


@given(LENGTHS, BUDGETS, LANES, OVERHEADS)
def test_turn_after_turn_takes_all(lengths: list[int], budget: int, lanes: int, overhead: float) -> None:
    left, turns = lengths, 0
    while left:
        left = left[sum(map(len, form_turn(left, budget, lanes, overhead))) :]
        turns += 1
    assert turns <= len(lengths)


@given(LENGTHS, OVERHEADS)
def test_every_text_is_in_one_run_with_its_like_shortest_first(lengths: list[int], overhead: float) -> None:
    runs = form_runs(lengths, overhead)
    by_length = sorted(runs, key=lambda run: (lengths[run[0]], run[0]))
    order = [position for run in by_length for position in run]
    assert sorted(order) == list(range(len(lengths)))
    assert [lengths[position] for position in order] == sorted(lengths)
    assert all(a < b for run in runs for a, b in pairwise(run) if lengths[a] == lengths[b]), "ties go by arrival"


@given(LENGTHS, OVERHEADS)
def test_the_run_with_the_oldest_text_goes_first(lengths: list[int], overhead: float) -> None:
    oldest = [min(run) for run in form_runs(lengths, overhead)]
    assert oldest == sorted(oldest)


@given(st.lists(st.integers(1, 64), max_size=7), OVERHEADS)
def test_no_other_runs_of_the_same_texts_cost_less(lengths: list[int], overhead: float) -> None:
    def least(left: list[int]) -> float:
        """Of all ways to part texts into runs: with which others the longest runs."""
        if not left:
            return 0.0
        *rest, longest = left
        return min(
            overhead + longest * (size + 1) + least([one for at, one in enumerate(rest) if at not in chosen])
            for size in range(len(rest) + 1)
            for chosen in combinations(range(len(rest)), size)
        )

    paid = sum(cost(lengths, run) + overhead for run in form_runs(lengths, overhead))
    assert paid == pytest.approx(least(sorted(lengths)))


def test_equal_texts_share_a_run() -> None:
    assert form_runs([7] * 30, 4) == [list(range(30))]


def test_a_long_text_does_not_pad_short_ones() -> None:
    assert form_runs([10, 10, 256, 11, 10], 4) == [[0, 1, 4, 3], [2]]


def test_two_lanes_share_two_texts() -> None:
    assert form_turn([20, 20], 256, 2, 4) == [[0]]


def test_nothing_waits() -> None:
    assert form_turn([], 512, 2, 4) == []


def test_where_runs_are_dear_texts_of_unlike_lengths_share_one() -> None:
    assert form_runs([10, 16, 10], 11) == [[0, 2], [1]]
    assert form_runs([10, 16, 10], 13) == [[0, 2, 1]]
