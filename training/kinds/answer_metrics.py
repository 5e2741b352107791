"""Exact match and F1 of answers as SQuAD defines them, and the threshold under which a question has no answer.

Written from the definition in Rajpurkar et al. 2016, arXiv 1606.05250, section 6.1, and for questions without an answer
Rajpurkar et al. 2018, arXiv 1806.03822, section 4.
"""

from __future__ import annotations

import re
import string
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from contracts.answer_spans import AnswerSpan
from contracts.reference import Floats

_ARTICLES = re.compile(r"\b(a|an|the)\b")
_PUNCTUATION = str.maketrans("", "", string.punctuation)
_LOWEST, _HIGHEST, _STEPS = 0.2, 20.0, 40


@dataclass(frozen=True)
class AnswerScore:
    """One answer against the true ones: the best of them counts."""

    exact: float  # 0 or 1
    f1: float  # 0..1


def normalised(answer: str) -> str:
    """Lower case, without ASCII punctuation and English articles, white space as single spaces."""
    return " ".join(_ARTICLES.sub(" ", answer.lower().translate(_PUNCTUATION)).split())


def score_answer(answer: str, truths: Sequence[str]) -> AnswerScore:
    """Against each true answer; no true answer, or only ones of articles and punctuation, means "" is right."""
    wanted = [text for text in truths if normalised(text)] or [""]
    return AnswerScore(
        exact=max(float(normalised(answer) == normalised(text)) for text in wanted),
        f1=max(_token_f1(normalised(answer).split(), normalised(text).split()) for text in wanted),
    )


def _token_f1(found: Sequence[str], wanted: Sequence[str]) -> float:
    if not found or not wanted:
        return float(found == wanted)
    shared = (Counter(found) & Counter(wanted)).total()
    return 2 * shared / (len(found) + len(wanted))


def choose_threshold(margins: Sequence[float], answered: Sequence[float], unanswered: Sequence[float]) -> float:
    """The margin of best over null above which answering is worth most on held-out questions, n >= 1.

    `answered[i]` is the F1 of answering question i, `unanswered[i]` that of saying that there is no answer. Halfway
    between two margins; of equally good ones the lowest, which answers most.
    """
    order = np.argsort(margins, kind="stable")
    sorted_margins = np.asarray(margins, dtype=np.float64)[order]
    # Place k refuses the k questions of least margin.
    gains = np.asarray(unanswered, dtype=np.float64)[order] - np.asarray(answered, dtype=np.float64)[order]
    totals = np.concatenate([[0.0], np.cumsum(gains)])
    bounds = np.concatenate(
        [[sorted_margins[0] - 1.0], (sorted_margins[:-1] + sorted_margins[1:]) / 2, [sorted_margins[-1] + 1.0]]
    )
    # Between equal margins there is no bound that parts them.
    possible = np.concatenate([[True], sorted_margins[:-1] < sorted_margins[1:], [True]])
    totals[~possible] = -np.inf
    return float(bounds[int(totals.argmax())])


def fit_score_temperature(spans: Sequence[AnswerSpan], threshold: float, right: npt.NDArray[np.bool_]) -> float:
    """The temperature (0.2..20) with which scores say best how often answers are exactly right, n >= 1.

    After Guo et al. 2017, arXiv 1706.04599, section 4.2; an answer's score is made of two softmax values, so the
    log loss need not be convex, and a grid is searched.
    """
    grid = np.geomspace(_LOWEST, _HIGHEST, _STEPS)
    losses = [_log_loss(answer_scores(spans, threshold, float(temperature)), right) for temperature in grid]
    return float(grid[int(np.argmin(losses))])


def answer_scores(spans: Sequence[AnswerSpan], threshold: float, temperature: float) -> Floats:
    """[n] score of what is answered to each question, 0..1."""
    return np.array(
        [span.score(answered=span.is_answer(threshold), temperature=temperature) for span in spans], dtype=np.float32
    )


def _log_loss(scores: Floats, right: npt.NDArray[np.bool_]) -> float:
    kept = np.clip(scores.astype(np.float64), 1e-6, 1 - 1e-6)
    return float(-np.where(right, np.log(kept), np.log1p(-kept)).mean())
