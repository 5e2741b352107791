from __future__ import annotations

import math
from itertools import combinations, pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.engine.batching import (
    LEAST_TOKENS,
    WORTHWHILE,
    form_run,
    form_runs,
    window_tokens,
)
from service.engine.run_cost import RunCost

LENGTHS = st.lists(st.integers(1, 512), max_size=80)
WAITING = st.lists(st.integers(1, 512), min_size=1, max_size=80)
BUDGETS = st.integers(1, 4096)
LANES = st.integers(1, 16)
OVERHEADS = st.floats(2.0, 32.0)
COSTS = st.builds(RunCost, st.just(1.0), OVERHEADS, st.floats(0.05, 1.0), st.floats(0.0, 0.01))


def room(lengths: list[int], run: list[int]) -> int:
    """Padding included."""
    return len(run) * max(lengths[position] for position in run)


def padding_like_text(overhead: float) -> RunCost:
    """Of a graph that works out padding like any token."""
    return RunCost(1.0, overhead)


@given(WAITING, BUDGETS, LANES, COSTS)
def test_the_oldest_is_run_with_its_like_within_the_window_and_the_budget(
    lengths: list[int], budget: int, lanes: int, cost: RunCost
) -> None:
    run = form_run(lengths, budget, lanes, cost)
    assert 0 in run
    assert len(set(run)) == len(run)
    assert [lengths[position] for position in run] == sorted(lengths[position] for position in run)
    assert room(lengths, run) <= budget or len(run) == 1
    others = sorted(run)[:-1]
    assert sum(lengths[: max(run) + 1]) <= window_tokens(sum(lengths), lanes, cost.overhead) or not others


@given(WAITING, LANES, COSTS)
def test_where_the_budget_leaves_room_the_run_is_one_of_the_cheapest_parting(
    lengths: list[int], lanes: int, cost: RunCost
) -> None:
    run = form_run(lengths, 10**6, lanes, cost)
    window = window_tokens(sum(lengths), lanes, cost.overhead)
    within = [place for place in range(len(lengths)) if sum(lengths[: place + 1]) <= window] or [0]
    assert run in form_runs([lengths[place] for place in within], cost)


@given(st.integers(1, 10**6), LANES, OVERHEADS)
def test_a_lane_leaves_others_that_have_nothing_to_do_their_share(waiting: int, lanes: int, overhead: float) -> None:
    window = window_tokens(waiting, lanes, overhead)
    share = waiting / lanes
    assert min(share / 2, LEAST_TOKENS) <= window < max(share, LEAST_TOKENS) + 1
    if waiting >= 4 * WORTHWHILE * overhead + 4:
        assert window < max(waiting / 4, LEAST_TOKENS) + 1, "of many it looks at the first quarter"
    assert window_tokens(waiting + 1, lanes, overhead) >= window


@given(WAITING, BUDGETS, LANES, COSTS)
def test_run_after_run_takes_all_and_passes_nobody_over_for_more_than_a_quarter_of_what_waits(
    lengths: list[int], budget: int, lanes: int, cost: RunCost
) -> None:
    left = lengths
    for _ in lengths:
        if not left:
            break
        run = form_run(left, budget, lanes, cost)
        most = max(math.ceil(sum(left) / 4), round(WORTHWHILE * cost.overhead), LEAST_TOKENS)
        for place in range(max(run)):
            later = sum(left[other] for other in run if other > place)
            if place not in run:
                assert sum(left[: place + 1]) + later <= most, "what goes before a text, and what came before it"
        left = [length for place, length in enumerate(left) if place not in run]
    assert not left


@given(LENGTHS, COSTS)
def test_every_text_is_in_one_run_with_its_like_shortest_first(lengths: list[int], cost: RunCost) -> None:
    runs = form_runs(lengths, cost)
    by_length = sorted(runs, key=lambda run: (lengths[run[0]], run[0]))
    order = [position for run in by_length for position in run]
    assert sorted(order) == list(range(len(lengths)))
    assert [lengths[position] for position in order] == sorted(lengths)
    assert all(a < b for run in runs for a, b in pairwise(run) if lengths[a] == lengths[b]), "ties go by arrival"


@given(LENGTHS, COSTS)
def test_the_run_with_the_oldest_text_goes_first(lengths: list[int], cost: RunCost) -> None:
    oldest = [min(run) for run in form_runs(lengths, cost)]
    assert oldest == sorted(oldest)


@given(st.lists(st.integers(1, 64), max_size=7), COSTS)
def test_no_other_runs_of_the_same_texts_cost_less(lengths: list[int], cost: RunCost) -> None:
    def least(left: list[int]) -> float:
        """Of all ways to part texts into runs: with which others the longest runs."""
        if not left:
            return 0.0
        *rest, longest = left
        return min(
            cost.overhead
            + cost.place(longest) * (size + 1)
            + least([one for at, one in enumerate(rest) if at not in chosen])
            for size in range(len(rest) + 1)
            for chosen in combinations(range(len(rest)), size)
        )

    paid = sum(cost.overhead + len(run) * cost.place(lengths[run[-1]]) for run in form_runs(lengths, cost))
    assert paid == pytest.approx(least(sorted(lengths)))


def test_equal_texts_share_a_run() -> None:
    assert form_runs([7] * 30, padding_like_text(4)) == [list(range(30))]


def test_a_long_text_does_not_pad_short_ones() -> None:
    assert form_runs([10, 10, 256, 11, 10], padding_like_text(4)) == [[0, 1, 4, 3], [2]]


def test_two_lanes_share_two_texts() -> None:
    assert form_run([20, 20], 256, 2, padding_like_text(4)) == [0]
    assert form_run([60, 60], 256, 1, padding_like_text(4)) == [0], "each is worth a run of its own"
    assert form_run([20, 20], 256, 1, padding_like_text(18)) == [0, 1]


def test_where_runs_are_dear_texts_of_unlike_lengths_share_one() -> None:
    assert form_runs([10, 16, 10], padding_like_text(11)) == [[0, 2], [1]]
    assert form_runs([10, 16, 10], padding_like_text(13)) == [[0, 2, 1]]


def test_where_padding_costs_little_texts_of_unlike_lengths_share_one() -> None:
    assert form_runs([10, 16, 10], RunCost(1.0, 4.0)) == [[0, 2], [1]]
    assert form_runs([10, 16, 10], RunCost(1.0, 4.0, padded=0.25)) == [[0, 2, 1]]
    assert form_runs([10, 160, 10], RunCost(1.0, 4.0, padded=0.25)) == [[0, 2], [1]]
