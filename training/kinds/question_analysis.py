"""What is told of answers to questions beside their figures: how sure, how calibrated, which are wrong."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from contracts.answer_spans import AnswerSpan
from contracts.reference import Floats, Integers
from contracts.task import TaskSpec
from training.artefact.onnx_artefact import Artefact
from training.data.questions import ANSWER, NO_ANSWER, QuestionRow
from training.evaluation.bootstrap import Bools, Estimate, accuracy_estimate, mean_estimate
from training.evaluation.mistakes import Mistake, count_confusions, excerpt, file_of, surest_mistakes
from training.evaluation.perturb import Perturbation, perturbed
from training.evaluation.sensitivity import Replies, measure_sensitivity
from training.kinds.answer_metrics import AnswerScore, answer_scores, score_answer
from training.kinds.parts import calibrated, estimated, mistaken, parts_of, rewritten
from training.kinds.question_rows import answer_rows
from training.kinds.told import Told, together
from training.progress import Stage
from training.report.measured_sections import MistakeHead

# Every question is read with its whole context, in several windows.
MOST_REWRITTEN = 200
_SILENCE = "(no answer)"
_MEANS = "A question is right when its answer is one of the true ones, exactly."


@dataclass(frozen=True)
class Judged:
    """n answers: what they are worth."""

    answers: list[str]
    scores: list[AnswerScore]

    @property
    def exact(self) -> Bools:
        """[n], whether the answer is one of the true ones."""
        return np.array([score.exact == 1 for score in self.scores], dtype=np.bool_)

    @property
    def by_row(self) -> Floats:
        """[n], the F1 of each, 0..1."""
        return np.array([score.f1 for score in self.scores], dtype=np.float32)

    @property
    def f1(self) -> float:
        """The mean of them, 0..1."""
        return float(np.mean([score.f1 for score in self.scores]))


@dataclass(frozen=True)
class AnsweredQuestions:
    """n test questions as the artefact answers them."""

    rows: Sequence[QuestionRow]
    spans: Sequence[AnswerSpan]
    lengths: Integers  # [n], tokens of question and context
    judged: Judged
    threshold: float
    temperature: float


def judge(spans: Sequence[AnswerSpan], rows: Sequence[QuestionRow], threshold: float) -> Judged:
    """Hold what is answered to each question against what is true."""
    answers = [
        row.context[span.start : span.end] if span.is_answer(threshold) else ""
        for span, row in zip(spans, rows, strict=True)
    ]
    scores = [
        score_answer(text, [answer.text for answer in row.answers]) for text, row in zip(answers, rows, strict=True)
    ]
    return Judged(answers, scores)


def analyse_answers(artefact: Artefact, found: AnsweredQuestions, stage: Stage, *, spec: TaskSpec) -> Told:
    """All of it, from answers that are there already; only rewritten questions, at most 200 a way, are asked anew."""
    judged, seed = found.judged, spec.train.seed
    served, raw = (answer_scores(found.spans, found.threshold, one) for one in (found.temperature, 1.0))
    return together(
        estimated(
            {"f1": _f1_estimate(judged, seed), "exact_match": accuracy_estimate(judged.exact, seed=seed)},
            {"f1": "F1", "exact_match": "exact match"},
        ),
        calibrated(served, raw, judged.exact, temperature=found.temperature, means=_MEANS),
        # Windows read all of a context.
        parts_of(found.rows, found.lengths, judged.exact, most=int(found.lengths.max()), means=_MEANS),
        _rewritten(artefact, found, stage, spec),
        tell_mistakes(found, served, with_texts=spec.limits.log_text),
    )


def _f1_estimate(judged: Judged, seed: int) -> Estimate:
    """Where all answers are whole or none is, resamples cannot differ, and Wilson's interval is taken."""
    if judged.by_row.min() == judged.by_row.max() in (0.0, 1.0):
        return accuracy_estimate(judged.exact, seed=seed)
    return mean_estimate(judged.by_row, lowest=0.0, seed=seed)


def _rewritten(artefact: Artefact, found: AnsweredQuestions, stage: Stage, spec: TaskSpec) -> Told:
    def write(perturbation: Perturbation, row: QuestionRow, seed: int) -> QuestionRow:
        return replace(row, question=" ".join(perturbed(perturbation, row.question, seed).split()))

    def answer(places: Sequence[int], rows: Sequence[QuestionRow]) -> Replies:
        outputs = answer_rows(artefact, rows, stride=spec.model.stride)
        stage.advance(len(rows))
        again = judge(outputs.spans, rows, found.threshold)
        same = [one == found.judged.answers[place] for one, place in zip(again.answers, places, strict=True)]
        return Replies(right=again.exact, same=np.array(same, dtype=np.bool_))

    sensitivity = measure_sensitivity(
        found.rows, found.judged.exact, write, answer, seed=spec.train.seed, most=MOST_REWRITTEN
    )
    return rewritten(sensitivity, means=f"Questions were rewritten, contexts were not. {_MEANS}")


def tell_mistakes(found: AnsweredQuestions, scores: Floats, *, with_texts: bool) -> Told:
    """What was not answered exactly right, by the [n] scores, and what was answered instead."""
    wrong = np.nonzero(~found.judged.exact)[0].astype(np.int64)
    listed = surest_mistakes(wrong, scores[wrong], lambda place: _tell(found, place, scores, with_texts=with_texts))
    confusions = count_confusions(
        ((found.rows[place].label, _sort_of(found, place)) for place in wrong.tolist()),
        Counter(row.label for row in found.rows),
    )
    note = f"{listed.mistakes:,} test questions were not answered exactly right in all."
    return mistaken(
        listed,
        confusions,
        head=MistakeHead("Question", "What was read, the answer in brackets", "Right", "Answer"),
        columns=("True", "Given", "Questions#", "Of those#"),
        note=note,
    )


def _tell(found: AnsweredQuestions, place: int, scores: Floats, *, with_texts: bool) -> Mistake:
    row, span, answer = found.rows[place], found.spans[place], found.judged.answers[place]
    right = " / ".join(dict.fromkeys(one.text for one in row.answers))
    wanted, given = right or _SILENCE, answer or _SILENCE
    if not with_texts:
        wanted, given = row.label, ANSWER if answer else NO_ANSWER
    # Where nothing was answered, the place of what should have been.
    start, end = (span.start, span.end) if answer or not row.answers else (row.answers[0].start, row.answers[0].start)
    return Mistake(
        file=file_of(row),
        line=row.line,
        wanted=wanted,
        answer=given,
        score=float(scores[place]),
        text=row.question if with_texts else None,
        beside=excerpt(row.context, start, end) if with_texts else None,
    )


def _sort_of(found: AnsweredQuestions, place: int) -> str:
    """What was done instead of the right answer."""
    if not found.judged.answers[place]:
        return NO_ANSWER
    if not found.rows[place].answers:
        return ANSWER
    return "answer that overlaps" if found.judged.scores[place].f1 > 0 else "another answer"
