"""Questions from their rows to a published release: what it answers is what its figures say."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from contracts.errors import GateRefusedError, TrainingError
from contracts.home import Home
from contracts.reference import load_reference
from contracts.release import METRICS_FILE, REFERENCE_FILE, REPORT_FILE, Manifest
from contracts.task import DataSpec, GateSpec, TaskSpec
from training.artefact.onnx_artefact import Artefact
from training.data.dataset import load_dataset
from training.data.questions import QuestionRow
from training.data.rows import rows_of
from training.kinds.answer_metrics import score_answer
from training.kinds.kinds import kind_of
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
