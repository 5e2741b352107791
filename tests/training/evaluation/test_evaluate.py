"""Figures about answers, against small cases worked out by hand."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from training.data.rows import Row
from training.evaluation.baselines import WORD, Floors, gains_over, measure_floors
from training.evaluation.calibration import softmax
from training.evaluation.compare import paired_outcome
from training.evaluation.evaluate import Confusion, evaluate
from training.evaluation.reference import fit_projection

LABELS = ("a", "b", "c", "never seen")


def logits_for(predicted: list[int]) -> np.ndarray:
    return np.eye(4, dtype=np.float32)[predicted] * 5


def test_figures_by_hand() -> None:
    truth = np.array([0, 0, 0, 0, 1, 1, 1, 2])
    found = evaluate(logits_for([0, 0, 0, 1, 1, 1, 0, 2]), truth, LABELS, 1.0)
    assert found.accuracy == 6 / 8
    by_label = {score.label: score for score in found.labels}
    assert by_label["a"].precision == by_label["a"].recall == by_label["a"].f1 == 0.75
    assert by_label["b"].f1 == pytest.approx(2 / 3)
    assert by_label["never seen"].rows == 0
    assert [found.macro.f1, found.macro_f1_estimate.value] == pytest.approx([(0.75 + 2 / 3 + 1) / 3] * 2)
    assert found.macro.f1 == pytest.approx((0.75 + 2 / 3 + 1) / 3)
    assert found.weighted.f1 == pytest.approx((4 * 0.75 + 3 * 2 / 3 + 1) / 8)
    assert found.macro.precision == found.macro.recall == pytest.approx((0.75 + 2 / 3 + 1) / 3)
    assert found.weighted.recall == found.micro.f1 == found.accuracy
    assert [score.right for score in found.labels] == [3, 2, 1, 0]
    assert found.confusions == (Confusion("a", "b", 1, 0.25), Confusion("b", "a", 1, 1 / 3))


def test_figures_are_those_of_scikit_learn() -> None:
    from sklearn.metrics import brier_score_loss, precision_recall_fscore_support, roc_auc_score

    rng = np.random.default_rng(6)
    truth = rng.integers(0, 4, 300)
    logits = rng.normal(0, 1, (300, 4)).astype(np.float32)
    logits[np.arange(300), truth] += 1.5
    found = evaluate(logits, truth, LABELS, 0.7)
    for name, average in (("macro", found.macro), ("micro", found.micro), ("weighted", found.weighted)):
        expected = precision_recall_fscore_support(truth, logits.argmax(axis=1), average=name)[:3]
        assert (average.precision, average.recall, average.f1) == pytest.approx(expected)
    calibrated = softmax(logits, 0.7).astype(np.float64)
    calibrated /= calibrated.sum(axis=1, keepdims=True)
    assert found.auc_roc == pytest.approx(roc_auc_score(truth, calibrated, multi_class="ovr"), abs=1e-6)
    assert found.brier == pytest.approx(brier_score_loss(truth, calibrated, scale_by_half=False), abs=1e-6)
    assert found.brier < found.brier_uncalibrated or found.ece != found.ece_uncalibrated
    assert found.figures["accuracy_low"] < found.accuracy < found.figures["accuracy_high"]


def test_one_true_label_alone_has_no_curve() -> None:
    found = evaluate(logits_for([0, 0, 1]), np.array([0, 0, 0]), LABELS, 1.0)
    assert found.auc_roc is None
    assert "auc_roc" not in found.figures
    assert found.curves.roc == found.curves.precision_recall == ()


def test_the_word_pattern_keeps_devanagari_words_whole() -> None:
    import re

    assert re.findall(WORD, "मेरा ऑर्डर कहाँ है? don't-know, ok।") == ["मेरा", "ऑर्डर", "कहाँ", "है", "don", "t", "know", "ok"]


def test_floors_are_of_the_test_set() -> None:
    def rows(texts: str, label: str) -> list[Row]:
        return [Row(text, label, "f", 1) for text in texts.split(";")]

    train = rows("red apple;green apple;apple pie", "fruit") + rows("fast car;old car", "car")
    floors = measure_floors(train, rows("an apple;apple tree", "fruit") + rows("my car;car wash", "car"))
    assert floors.majority == 0.5
    assert floors.tfidf == 1.0


def test_a_gain_over_a_floor_is_paired_and_says_whether_it_is_chance() -> None:
    half, most = np.arange(400) % 2 == 0, np.arange(400) % 10 > 0
    over_majority, over_tfidf = gains_over(Floors(majority_right=half, tfidf_right=most), most)
    assert (over_majority.accuracy, over_majority.verdict) == (0.5, "beats")
    assert over_majority.gain.value == pytest.approx(0.4)
    assert over_majority.gain.interval.low > 0.3
    assert (over_tfidf.gain.value, over_tfidf.verdict) == (0.0, "even")
    assert gains_over(Floors(most, most), half)[1].verdict == "loses"


@given(st.lists(st.tuples(*[st.sampled_from("abc")] * 3)))
def test_paired_outcomes_count_every_text_once(rows: list[tuple[str, str, str]]) -> None:
    truth, champion, candidate = ([row[i] for row in rows] for i in range(3))
    outcome = paired_outcome(truth, champion, candidate)
    assert outcome.rows == len(rows)
    assert outcome.both_right + outcome.champion_only == sum(a == b for a, b, _ in rows)
    assert outcome.both_right + outcome.candidate_only == sum(a == c for a, _, c in rows)


def test_projections_are_principal_components() -> None:
    rng = np.random.default_rng(2)
    embeddings = (rng.normal(size=(300, 2)) @ rng.normal(size=(2, 24)) + 3).astype(np.float32)
    found = fit_projection(embeddings)
    assert found.components.shape == (24, 16)
    np.testing.assert_allclose(found.components.T @ found.components, np.eye(16), atol=1e-4)
    projected = (embeddings - found.mean) @ found.components
    rebuilt = projected[:, :2] @ found.components[:, :2].T + found.mean
    np.testing.assert_allclose(rebuilt, embeddings, atol=1e-3)
    assert fit_projection(embeddings[:5]).components.shape == (24, 5)
