"""Whether the model beats its baselines, in words."""

from __future__ import annotations

import pytest

from training.kinds.kinds import KINDS
from training.report.blocks import Prose
from training.report.cautions import better_rivals
from training.report.general_sections import alternatives_section

FIGURES = {"accuracy": 0.9, "fp32_accuracy": 0.91, "majority_accuracy": 0.2, "tfidf_accuracy": 0.85}


def verdicts(figures: dict[str, float]) -> list[Prose]:
    blocks = alternatives_section(KINDS["classification"], figures).blocks
    return [block for block in blocks if isinstance(block, Prose)]


@pytest.mark.parametrize(
    ("by", "low", "high", "said", "tone"),
    [
        (0.05, 0.02, 0.08, "beaten, by +5.0 points (95 % interval +2.0 to +8.0, paired)", "good"),
        (0.01, -0.01, 0.03, "no difference beyond chance, +1.0 points", "bad"),
        (-0.04, -0.06, -0.02, "not reached, by -4.0 points", "bad"),
    ],
)
def test_a_gain_is_told_with_its_interval(by: float, low: float, high: float, said: str, tone: str) -> None:
    told = verdicts(FIGURES | {"beats_tfidf_by": by, "beats_tfidf_by_low": low, "beats_tfidf_by_high": high})
    assert told[0].text.startswith("TF-IDF and logistic regression: ")
    assert said in told[0].text
    assert told[0].tone == tone


def test_without_an_interval_the_difference_is_told() -> None:
    assert verdicts(FIGURES)[0].text == "TF-IDF and logistic regression: +5.0 points."


@pytest.mark.parametrize(("high", "told"), [(-0.02, True), (0.0, False), (0.03, False)])
def test_a_baseline_that_is_surely_better_is_a_caution(high: float, told: bool) -> None:
    figures = FIGURES | {"tfidf_accuracy": 0.94, "beats_tfidf_by_high": high, "beats_majority_by_high": 0.8}
    sentence = (
        "A simpler way does better, by more than chance: TF-IDF and logistic regression, accuracy 94.0 % "
        "against 90.0 % of this model."
    )
    assert better_rivals(KINDS["classification"], figures) == [sentence] * told
