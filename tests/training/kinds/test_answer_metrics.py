"""Answers are judged as SQuAD judges them."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from contracts.answer_spans import AnswerSpan
from training.kinds.answer_metrics import choose_threshold, fit_score_temperature, normalised, score_answer


@pytest.mark.parametrize(
    ("answer", "truths", "exact", "f1"),
    [
        ("The Eiffel Tower!", ["eiffel tower"], 1, 1),
        ("in  Paris,\tFrance", ["Paris, France"], 0, 0.8),
        ("a dog", ["the cat", "An  DOG."], 1, 1),
        ("cat sat on the mat", ["the cat sat"], 0, 2 * 2 / (4 + 2)),
        ("the the", ["dog"], 0, 0),
        ("dog dog", ["dog"], 0, 2 / 3),
        ("theatre", ["atre"], 0, 0),
        ("U.S.", ["us"], 1, 1),
        ("don't", ["dont"], 1, 1),
        ("", [], 1, 1),
        ("", ["the"], 1, 1),
        ("dog", [], 0, 0),
        ("", ["dog"], 0, 0),
    ],
)
def test_known_pairs(answer: str, truths: list[str], exact: float, f1: float) -> None:
    found = score_answer(answer, truths)
    assert (found.exact, found.f1) == (exact, pytest.approx(f1))


def test_only_ascii_punctuation_is_dropped() -> None:
    assert normalised("  «An»  Über-Answer—yes  ") == "« » überanswer—yes"


@given(st.text(max_size=20), st.text(max_size=20))
def test_f1_is_symmetric_and_never_below_exact_match(first: str, second: str) -> None:
    found = score_answer(first, [second])
    assert 0 <= found.exact <= found.f1 <= 1
    assert found.f1 == pytest.approx(score_answer(second, [first]).f1)


@given(
    st.lists(
        st.tuples(st.sampled_from([-2.0, -1.0, 0.0, 0.5, 3.0]), st.sampled_from([0.0, 0.4, 1.0]), st.booleans()),
        min_size=1,
        max_size=12,
    )
)
def test_no_other_threshold_is_worth_more(rows: list[tuple[float, float, bool]]) -> None:
    margins = [margin for margin, _, _ in rows]
    answered = [0.0 if empty else f1 for _, f1, empty in rows]
    unanswered = [float(empty) for _, _, empty in rows]

    def worth(threshold: float) -> float:
        pairs = zip(margins, answered, unanswered, strict=True)
        return sum(yes if margin > threshold else no for margin, yes, no in pairs)

    chosen = choose_threshold(margins, answered, unanswered)
    assert worth(chosen) == pytest.approx(max(worth(t) for t in (-9, -1.5, -0.5, 0.2, 1, 9)))


def test_questions_that_all_have_answers_are_all_answered() -> None:
    assert choose_threshold([-4.0, 2.0], [0.0, 1.0], [0.0, 0.0]) < -4.0


def span(best: float) -> AnswerSpan:
    logits = np.array([0.0, best, 0.0], dtype=np.float32)
    return AnswerSpan(0, 4, 2 * best, 0.0, logits, logits, 1, 1)


@pytest.mark.parametrize("share", [0.4, 0.6, 0.9])
def test_the_fitted_temperature_makes_scores_as_high_as_answers_are_right(share: float) -> None:
    spans = [span(6.0)] * 200
    right = np.arange(200) < share * 200
    temperature = fit_score_temperature(spans, -100.0, right)
    assert spans[0].score(answered=True, temperature=temperature) == pytest.approx(share, abs=0.06)
