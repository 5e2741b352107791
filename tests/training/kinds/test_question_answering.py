"""Questions from their rows to a published release: what it answers is what its figures say."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from contracts.answer_spans import AnswerSpan
from contracts.errors import GateRefusedError, TrainingError
from contracts.home import Home
from contracts.reference import load_reference
from contracts.release import METRICS_FILE, REFERENCE_FILE, REPORT_FILE, Manifest
from contracts.task import DataSpec, GateSpec, TaskSpec
from training.artefact.onnx_artefact import Artefact
from training.data.dataset import load_dataset
from training.data.questions import Answer, QuestionRow, question_row
from training.data.rows import rows_of
from training.kinds.answer_metrics import score_answer
from training.kinds.kinds import kind_of
from training.kinds.question_analysis import AnsweredQuestions, Judged, tell_mistakes
from training.kinds.question_rows import answer_rows
from training.kinds.sentence_baseline import nearest_sentence
from training.pipeline import train


@pytest.fixture(scope="session")
def spec(questions_file: Path, kind_spec: Callable[..., TaskSpec]) -> TaskSpec:
    # Windows so short that every context takes two of them.
    data = DataSpec(path=str(questions_file), slice_columns=("source",))
    return kind_spec("question-answering", data, epochs=4, max_tokens=16, stride=6)


@pytest.fixture(scope="session")
def answered(spec: TaskSpec, tmp_path_factory: pytest.TempPathFactory) -> tuple[Home, Manifest]:
    home = Home(tmp_path_factory.mktemp("answered"))
    return home, train(home, spec)


def test_a_release_of_answers_is_published(answered: tuple[Home, Manifest]) -> None:
    home, manifest = answered
    assert manifest.kind == "question-answering"
    assert manifest.labels == ("no-answer", "answer")
    assert manifest.null_threshold is not None
    assert {"f1", "exact_match", "fp32_f1", "sentence_f1", "no_answer_f1"} <= manifest.metrics.keys()
    assert manifest.metrics["f1"] > 0.8 > manifest.metrics["sentence_f1"]
    folder = home.release(manifest.task, manifest.version)
    found = json.loads((folder / METRICS_FILE).read_text())
    assert found["null_threshold"] == manifest.null_threshold
    report = (folder / REPORT_FILE).read_text()
    assert "exact match" in report
    # The task's own parts of the data, each with how much of it is answered exactly right.
    slices = {one["value"]: one for one in found["slices"] if one["property"] == "source"}
    assert set(slices) == {"mail", "chat"}
    exact = sum(one["accuracy"] * one["rows"] for one in slices.values()) / 60
    assert exact == pytest.approx(manifest.metrics["exact_match"])
    assert "when its answer is one of the true ones, exactly" in report


def test_it_is_told_how_sure_the_figures_are_and_which_answers_are_wrong(answered: tuple[Home, Manifest]) -> None:
    home, manifest = answered
    metrics, folder = manifest.metrics, home.release(manifest.task, manifest.version)
    found = json.loads((folder / METRICS_FILE).read_text())
    for name in ("f1", "exact_match"):
        assert metrics[f"{name}_low"] <= metrics[name] <= metrics[f"{name}_high"]
    assert metrics["beats_no_answer_by_low"] > 0
    assert metrics["beats_sentence_by"] == pytest.approx(metrics["f1"] - metrics["sentence_f1"], abs=1e-6)
    assert 0 <= metrics["ece"] <= 1
    assert sum(entry["rows"] for entry in found["reliability"]) == 60
    wrong = round(60 * (1 - metrics["exact_match"]))
    assert found["errors"]["mistakes"] == wrong == sum(one["rows"] for one in found["confusions"])
    assert found["sensitivity"]["accuracy"] == pytest.approx(metrics["exact_match"])
    report = (folder / REPORT_FILE).read_text()
    for title in ("How sure these figures are", "Scores as they are served", "The same texts, written otherwise"):
        assert title in report


def test_mistakes_are_told_with_what_was_read() -> None:
    context = f"{'the ' * 40}refund is late"
    rows = [
        question_row("1", "what ?", context, [Answer("refund", 160)], "/home/x/rows.jsonl", 4),
        question_row("2", "what ?", context, [], "/home/x/rows.jsonl", 5),
        question_row("3", "when ?", context, [Answer("late", 170)], "/home/x/rows.jsonl", 6),
    ]
    answers = ["refund is", "late", ""]
    truths = [[answer.text for answer in row.answers] for row in rows]
    judged = Judged(answers, [score_answer(one, truth) for one, truth in zip(answers, truths, strict=True)])
    nothing = np.zeros(1, dtype=np.float32)
    spans = [
        AnswerSpan(context.find(one), context.find(one) + len(one), 2.0, 1.0, nothing, nothing, 0, 0) for one in answers
    ]
    found = AnsweredQuestions(rows, spans, np.full(3, 50), judged, 0.0, 1.0)
    scores = np.array([0.4, 0.9, 0.6], dtype=np.float32)
    told = tell_mistakes(found, scores, with_texts=True).details
    first, second, third = told["errors"]["surest"]
    assert (first["line"], first["wanted"], first["answer"], first["file"]) == (5, "(no answer)", "late", "rows.jsonl")
    assert first["beside"].endswith("refund is [late]")
    assert (second["answer"], second["wanted"]) == ("(no answer)", "late")
    assert second["beside"].endswith("the the refund is late")
    assert (third["text"], third["answer"], third["wanted"]) == ("what ?", "refund is", "refund")
    assert {(one["truth"], one["predicted"]) for one in told["confusions"]} == {
        ("answer", "answer that overlaps"),
        ("answer", "no-answer"),
        ("no-answer", "answer"),
    }
    silent = tell_mistakes(found, scores, with_texts=False)
    assert "refund" not in repr(silent)
    assert [one["answer"] for one in silent.details["errors"]["surest"]] == ["answer", "no-answer", "answer"]


def test_the_figures_are_those_of_the_published_artefact(answered: tuple[Home, Manifest], spec: TaskSpec) -> None:
    home, manifest = answered
    rows = rows_of(QuestionRow, load_dataset(spec).test)
    artefact = Artefact.of_release(home.release(manifest.task, manifest.version), manifest.max_tokens, threads=1)
    outputs = answer_rows(artefact, rows, stride=spec.model.stride)
    assert all(len(read.windows) > 1 for read in outputs.read)
    threshold = manifest.null_threshold or 0.0
    scores = [
        score_answer(
            row.context[span.start : span.end] if span.is_answer(threshold) else "",
            [answer.text for answer in row.answers],
        )
        for span, row in zip(outputs.spans, rows, strict=True)
    ]
    assert manifest.metrics["f1"] == pytest.approx(np.mean([score.f1 for score in scores]))
    assert manifest.metrics["exact_match"] == pytest.approx(np.mean([score.exact for score in scores]))


def test_the_reference_says_how_often_there_is_an_answer(answered: tuple[Home, Manifest]) -> None:
    home, manifest = answered
    reference = load_reference(home.release(manifest.task, manifest.version) / REFERENCE_FILE)
    assert set(reference.predicted.tolist()) <= {0, 1}
    assert reference.rows == 120
    assert ((reference.scores >= 0) & (reference.scores <= 1)).all()
    assert reference.lengths.min() > manifest.max_tokens


def test_a_gate_on_f1_that_is_missed_publishes_nothing(
    questions_file: Path, kind_spec: Callable[..., TaskSpec], home: Home
) -> None:
    strict = kind_spec(
        "question-answering",
        DataSpec(path=str(questions_file)),
        epochs=1,
        gate=GateSpec(min_exact_match=1.0, max_quantization_drop=1.0),
    )
    with pytest.raises(GateRefusedError, match="min_exact_match"):
        # Hardly anything is learned so slowly.
        train(home, strict.model_copy(update={"train": strict.train.model_copy(update={"learning_rate": 1e-9})}))
    assert not list(home.root.glob("releases/*/0*"))


def test_successors_are_refused(spec: TaskSpec) -> None:
    with pytest.raises(TrainingError, match="question answering"):
        kind_of(spec).answers(None, (), (), None)


def test_the_baseline_answers_with_the_nearest_sentence() -> None:
    assert (
        nearest_sentence("Where does Tom live?", "Kit is a cat. Tom will live here! And so on.")
        == "Tom will live here!"
    )
    assert nearest_sentence("Who?", "") == ""
