"""Answers to questions, as stretches of a context that comes with them; a context may hold none."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

import numpy as np
import numpy.typing as npt
from tokenizers import Tokenizer

from contracts.answer_spans import AnswerSpan
from contracts.errors import TrainingError
from contracts.question_windows import read_question
from contracts.reference import Reference
from contracts.task import TaskSpec
from training.artefact.onnx_artefact import Artefact
from training.artefact.speed import Runs
from training.data.dataset import Dataset
from training.data.questions import ANSWER, NO_ANSWER, QuestionRow
from training.data.rows import Row, rows_of
from training.evaluation.bootstrap import paired_gain
from training.evaluation.reference import MAX_ROWS, Projection, fit_projection
from training.evaluation.sensitivity import texts_needed
from training.kinds.answer_metrics import answer_scores, choose_threshold, fit_score_temperature, score_answer
from training.kinds.kind import Figure, Measured, TaskKind
from training.kinds.question_analysis import MOST_REWRITTEN, AnsweredQuestions, Judged, analyse_answers, judge
from training.kinds.question_rows import ReadOutputs, answer_rows, read_rows, torch_spans
from training.kinds.sentence_baseline import nearest_sentence
from training.kinds.span_objective import SPANS, span_targets
from training.learning.base_model import BaseModel
from training.learning.classifier import TokenClassifier, build_token_classifier
from training.learning.finetune import Encoded
from training.learning.network import Network
from training.progress import Stage

LABELS = (NO_ANSWER, ANSWER)
# Contexts are long: what only needs a sample takes one.
_PROJECTION_ROWS = 500
_FP32_ROWS = 400


class QuestionAnswering(TaskKind):
    """Where an answer starts and ends, judged by SQuAD's F1."""

    main: ClassVar[Figure] = Figure("F1", "f1")
    tiles: ClassVar[tuple[Figure, ...]] = (main, Figure("exact match", "exact_match"))
    gated: ClassVar[tuple[str, ...]] = ("f1", "exact_match")
    rivals: ClassVar[tuple[Figure, ...]] = (
        Figure("Never an answer", "no_answer_f1"),
        Figure("The sentence with most words of the question", "sentence_f1"),
    )
    own_labels: ClassVar[bool] = False

    def labels(self, dataset: Dataset) -> tuple[str, ...]:
        """Whether there is an answer."""
        return LABELS

    def read(self, texts: Sequence[str], tokenizer: Tokenizer, spec: TaskSpec) -> Runs:
        """Every window of each, whose first line is the question."""
        model = spec.model
        pairs = [text.partition("\n") for text in texts]
        windows = [
            window
            for question, _, context in pairs
            for window in read_question(
                tokenizer, question, context, max_tokens=model.max_tokens, stride=model.stride
            ).windows
        ]
        return [window.ids for window in windows], [window.type_ids for window in windows]

    def build(self, base: BaseModel, dataset: Dataset, spec: TaskSpec) -> TokenClassifier:
        """Two numbers a token: whether an answer starts there, and ends there."""
        return build_token_classifier(base, 2, spec.train.seed, SPANS)

    def encode(self, rows: Sequence[Row], labels: Sequence[str], tokenizer: Tokenizer, spec: TaskSpec) -> Encoded:
        """Every window is a row of its own; one without the answer is an example of there being none."""
        questions = rows_of(QuestionRow, rows)
        read = read_rows(tokenizer, questions, max_tokens=spec.model.max_tokens, stride=spec.model.stride)
        pairs = [(window, row) for one, row in zip(read, questions, strict=True) for window in one.windows]
        return Encoded(
            ids=[window.ids for window, _ in pairs],
            labels=[
                span_targets(window, [(answer.start, answer.end) for answer in row.answers]) for window, row in pairs
            ],
            segments=[window.type_ids for window, _ in pairs],
        )

    def measure(
        self,
        artefact: Artefact,
        model: Network,
        dataset: Dataset,
        stage: Stage,
        *,
        spec: TaskSpec,
        drifted: Sequence[Row] = (),
    ) -> Measured:
        """The threshold for "no answer" and the scores' temperature are chosen on validation.

        The network itself answers the first 400 test questions, and what quantization costs is the difference there.
        """
        stride = spec.model.stride
        parts = [
            rows_of(QuestionRow, rows) for rows in (dataset.train[:_PROJECTION_ROWS], dataset.validation, dataset.test)
        ]
        stage.expect(sum(map(len, parts)) + texts_needed(len(parts[2]), MOST_REWRITTEN))
        training, validation, test = (self._answer(artefact, rows, stride, stage) for rows in parts)
        threshold = _threshold(validation.spans, parts[1])
        checked = judge(validation.spans, parts[1], threshold)
        temperature = fit_score_temperature(validation.spans, threshold, checked.exact)
        judged = judge(test.spans, parts[2], threshold)
        original = judge(torch_spans(model, test.read[:_FP32_ROWS]), parts[2][:_FP32_ROWS], threshold)
        same = judge(test.spans[:_FP32_ROWS], parts[2][:_FP32_ROWS], threshold)
        lengths = np.array([one.length for one in test.read], dtype=np.int64)
        answered = AnsweredQuestions(parts[2], test.spans, lengths, judged, threshold, temperature)
        told = analyse_answers(artefact, answered, stage, spec=spec)
        return Measured(
            figures=dict(told.figures)
            | _sorts(judged, parts[2])
            | {
                "validation_f1": checked.f1,
                "fp32_f1": original.f1 + judged.f1 - same.f1,
                "quantization_drop": original.f1 - same.f1,
            },
            temperature=temperature,
            reference=_reference(
                [validation, test],
                np.concatenate([checked.exact, judged.exact]),
                threshold,
                temperature,
                fit_projection(training.embeddings),
                spec.train.seed,
            ),
            rows=len(parts[2]),
            details={"null_threshold": threshold, "windows": sum(len(one.windows) for one in test.read)}
            | dict(told.details),
            warnings=told.warnings,
            sections=told.sections,
            by_row=judged.by_row,
            null_threshold=threshold,
        )

    def _answer(self, artefact: Artefact, rows: Sequence[QuestionRow], stride: int, stage: Stage) -> ReadOutputs:
        found = answer_rows(artefact, rows, stride=stride)
        stage.advance(len(rows))
        return found

    def floors(
        self, dataset: Dataset, measured: Measured, *, base: BaseModel, tokenizer: Tokenizer, spec: TaskSpec
    ) -> dict[str, float]:
        """Saying that there is no answer; and, after Rajpurkar et al. 2016, a whole sentence."""
        rows = rows_of(QuestionRow, dataset.test)
        truths = [[answer.text for answer in row.answers] for row in rows]
        sentences = [nearest_sentence(row.question, row.context) for row in rows]
        floors = {"no_answer": [""] * len(rows), "sentence": sentences}
        found: dict[str, float] = {}
        for name, answers in floors.items():
            f1 = np.array([score_answer(one, truth).f1 for one, truth in zip(answers, truths, strict=True)])
            gain = paired_gain((measured.by_row - f1).astype(np.float32))
            found |= {f"{name}_f1": float(f1.mean()), **gain.figures(f"beats_{name}_by")}
        return found

    def answers(self, artefact: Artefact, labels: Sequence[str], rows: Sequence[Row], stage: Stage) -> list[str]:
        """Raises TrainingError: successors are trained from labels of single texts."""
        raise TrainingError(
            "No successors are trained for question answering from production's labels. Run `perennial train` again."
        )


def _threshold(spans: Sequence[AnswerSpan], rows: Sequence[QuestionRow]) -> float:
    truths = [[answer.text for answer in row.answers] for row in rows]
    found = [row.context[span.start : span.end] for span, row in zip(spans, rows, strict=True)]
    return choose_threshold(
        [span.best - span.null for span in spans],
        [score_answer(text, truth).f1 for text, truth in zip(found, truths, strict=True)],
        [score_answer("", truth).f1 for truth in truths],
    )


def _sorts(judged: Judged, rows: Sequence[QuestionRow]) -> dict[str, float]:
    """Where some questions have no answer, F1 of both sorts, as SQuAD 2.0 has it."""
    found = {}
    for name, wanted in (("answerable_f1", True), ("unanswerable_f1", False)):
        of = [score.f1 for score, row in zip(judged.scores, rows, strict=True) if bool(row.answers) == wanted]
        if of and len(of) < len(rows):
            found[name] = float(np.mean(of))
    return found


def _reference(
    parts: Sequence[ReadOutputs],
    correct: npt.NDArray[np.bool_],
    threshold: float,
    temperature: float,
    projection: Projection,
    seed: int,
) -> Reference:
    """Over all questions of the parts, or a random choice of 3000 of them."""
    rows = np.sort(np.random.default_rng(seed).permutation(len(correct))[:MAX_ROWS])
    spans = [span for part in parts for span in part.spans]
    read = [one for part in parts for one in part.read]
    embeddings = np.concatenate([part.embeddings for part in parts])
    projected = (embeddings[rows] - projection.mean) @ projection.components
    return Reference(
        predicted=np.array([spans[row].is_answer(threshold) for row in rows], dtype=np.int64),
        correct=correct[rows],
        scores=answer_scores([spans[row] for row in rows], threshold, temperature),
        lengths=np.array([read[row].length for row in rows], dtype=np.int64),
        unknown_shares=np.array([read[row].unknown_share for row in rows], dtype=np.float32),
        fragmentation=np.array([read[row].fragmentation for row in rows], dtype=np.float32),
        projections=projected.astype(np.float32),
        projection_mean=projection.mean,
        projection_components=projection.components,
    )
