"""Whether a candidate may replace the champion, from their paired outcomes. Pure.

Two questions, both on the artefacts as deployed. Fresh labels: is the candidate better by enough, and is that more
than luck (exact one-sided McNemar test)? Old test set: does it lose no more than the task allows?
"""

from __future__ import annotations

from dataclasses import dataclass

from contracts.release import Comparison
from contracts.task import RetrainSpec
from controller.record import Kind

MIN_FRESH_ROWS = 20
FRESH_ALPHA = 0.05
_ROUNDING = 1e-12


@dataclass(frozen=True)
class Promotion:
    """The judgement, its reason in words, and every figure that it stands on."""

    promote: bool
    kind: Kind
    reason: str
    figures: dict[str, float]


def exact_mcnemar(wins: int, losses: int) -> float:
    """One-sided exact p-value: the chance of `wins` or more among the discordant pairs if both were as good.

    P(X >= wins), X ~ Binomial(wins + losses, 1/2); 1.0 without discordant pairs. Source: McNemar 1947, with the
    binomial distribution in place of the chi-squared approximation.
    """
    pairs = wins + losses
    # The shorter tail of the binomial distribution in whole numbers, each term made from the one before: exact, and
    # quick for any number of pairs.
    shorter = losses + 1 if wins > losses else wins
    term, tail = 1, 0
    for k in range(shorter):
        tail += term
        term = term * (pairs - k) // (k + 1)
    return (tail if wins > losses else (1 << pairs) - tail) / (1 << pairs)


def judge(comparison: Comparison, spec: RetrainSpec) -> Promotion:
    """Promote only a candidate that wins on fresh labels, beyond luck, and keeps the old test set."""
    fresh, old = comparison.fresh, comparison.old_test
    gain = (fresh.candidate_only - fresh.champion_only) / fresh.rows if fresh.rows else 0.0
    loss = (old.champion_only - old.candidate_only) / old.rows if old.rows else 0.0
    fresh_p = exact_mcnemar(fresh.candidate_only, fresh.champion_only)
    old_p = exact_mcnemar(old.champion_only, old.candidate_only)
    figures = {
        "fresh_rows": float(fresh.rows),
        "fresh_champion_accuracy": fresh.champion_accuracy,
        "fresh_candidate_accuracy": fresh.candidate_accuracy,
        "fresh_gain": gain,
        "fresh_p_value": fresh_p,
        "old_rows": float(old.rows),
        "old_champion_accuracy": old.champion_accuracy,
        "old_candidate_accuracy": old.candidate_accuracy,
        "old_loss": loss,
        "old_p_value": old_p,
    }
    on_fresh = (
        f"on {fresh.rows} fresh labels accuracy goes from {fresh.champion_accuracy:.3f} to "
        f"{fresh.candidate_accuracy:.3f} (p = {fresh_p:.2g})"
    )
    on_old = (
        f"on {old.rows} rows of the old test set from {old.champion_accuracy:.3f} to "
        f"{old.candidate_accuracy:.3f} (p of a loss = {old_p:.2g})"
    )
    if fresh.rows < MIN_FRESH_ROWS:
        return Promotion(
            False,
            "few_fresh_rows",
            f"{fresh.rows} fresh labels are too few to compare on; at least {MIN_FRESH_ROWS} are needed. "
            "Send more feedback, or raise retrain.holdout_share.",
            figures,
        )
    if old.rows == 0:
        return Promotion(False, "no_comparison", "the comparison holds no row of the old test set.", figures)
    if gain < spec.min_fresh_gain - _ROUNDING:
        return Promotion(
            False,
            "no_fresh_gain",
            f"{on_fresh}: a gain of {gain:+.3f}, less than retrain.min_fresh_gain = {spec.min_fresh_gain:g}.",
            figures,
        )
    if fresh_p > FRESH_ALPHA:
        return Promotion(
            False,
            "no_fresh_gain",
            f"{on_fresh}: that may be luck, since p is above {FRESH_ALPHA:g}. Send more feedback.",
            figures,
        )
    if loss > spec.max_old_loss + _ROUNDING:
        return Promotion(
            False,
            "old_loss",
            f"{on_old}: a loss of {loss:.3f}, more than retrain.max_old_loss = {spec.max_old_loss:g}, "
            f"although {on_fresh}.",
            figures,
        )
    return Promotion(True, "better", f"{on_fresh}, {on_old}.", figures)
