from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import binomtest

from contracts.release import Comparison, PairedOutcome
from contracts.task import RetrainSpec
from controller.promotion import MIN_FRESH_ROWS, exact_mcnemar, judge

SPEC = RetrainSpec(max_old_loss=0.01, min_fresh_gain=0.02)
counts = st.integers(0, 60)
outcomes = st.builds(PairedOutcome, both_right=counts, champion_only=counts, candidate_only=counts, both_wrong=counts)
comparisons = st.builds(Comparison, champion=st.just("0001"), old_test=outcomes, fresh=outcomes)


def paired(both_right: int, champion_only: int, candidate_only: int, both_wrong: int) -> PairedOutcome:
    return PairedOutcome(
        both_right=both_right, champion_only=champion_only, candidate_only=candidate_only, both_wrong=both_wrong
    )


@given(st.integers(0, 300), st.integers(0, 300))
def test_p_value_is_the_exact_binomial_one(wins: int, losses: int) -> None:
    expected = binomtest(wins, wins + losses, 0.5, alternative="greater").pvalue if wins + losses else 1.0
    assert exact_mcnemar(wins, losses) == pytest.approx(expected, rel=1e-9, abs=1e-300)


def test_p_value_of_many_pairs_is_neither_slow_nor_overflowing() -> None:
    assert exact_mcnemar(10_000, 10_000) == pytest.approx(0.5, abs=0.01)
    assert exact_mcnemar(20_000, 0) == 0.0


@pytest.mark.parametrize(
    ("old", "fresh", "kind"),
    [
        (paired(190, 1, 1, 8), paired(30, 1, 25, 4), "better"),
        (paired(190, 3, 1, 6), paired(30, 1, 25, 4), "better"),  # a loss of exactly max_old_loss is allowed
        (paired(190, 4, 1, 5), paired(30, 1, 25, 4), "old_loss"),
        (paired(190, 0, 0, 10), paired(5, 0, 14, 0), "few_fresh_rows"),
        (paired(190, 0, 0, 10), paired(0, 0, 0, 0), "few_fresh_rows"),
        (paired(190, 0, 0, 10), paired(30, 5, 5, 20), "no_fresh_gain"),
        (paired(190, 0, 0, 10), paired(30, 5, 8, 17), "no_fresh_gain"),  # +0.05, and may be luck
        (paired(190, 0, 0, 10), paired(9000, 100, 250, 650), "no_fresh_gain"),  # beyond luck, and too little
        (paired(0, 0, 0, 0), paired(30, 1, 25, 4), "no_comparison"),
    ],
)
def test_cases(old: PairedOutcome, fresh: PairedOutcome, kind: str) -> None:
    found = judge(Comparison(champion="0001", old_test=old, fresh=fresh), SPEC)
    assert (found.kind, found.promote) == (kind, kind == "better")
    assert found.figures["fresh_rows"] == fresh.rows


def test_the_reason_names_both_accuracies_and_the_limit() -> None:
    comparison = Comparison(champion="0001", old_test=paired(180, 10, 0, 10), fresh=paired(30, 1, 25, 4))
    reason = judge(comparison, SPEC).reason
    for figure in ("0.950", "0.900", "0.050", "retrain.max_old_loss = 0.01", "0.517", "0.917"):
        assert figure in reason


@given(comparisons)
def test_promotes_only_on_enough_rows_with_a_gain_beyond_luck_and_no_great_loss(comparison: Comparison) -> None:
    found = judge(comparison, SPEC)
    if found.promote:
        assert comparison.fresh.rows >= MIN_FRESH_ROWS
        assert comparison.fresh.candidate_accuracy - comparison.fresh.champion_accuracy >= 0.02 - 1e-9
        assert found.figures["fresh_p_value"] <= 0.05
        assert comparison.old_test.champion_accuracy - comparison.old_test.candidate_accuracy <= 0.01 + 1e-9


@given(comparisons, st.integers(1, 60))
def test_more_wins_on_fresh_labels_never_turn_a_promotion_into_a_refusal(comparison: Comparison, more: int) -> None:
    fresh = comparison.fresh.model_copy(update={"candidate_only": comparison.fresh.candidate_only + more})
    if judge(comparison, SPEC).promote:
        assert judge(comparison.model_copy(update={"fresh": fresh}), SPEC).promote
