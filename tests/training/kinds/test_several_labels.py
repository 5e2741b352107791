"""Texts with several labels become a release whose thresholds were chosen on validation."""

from __future__ import annotations

import json
import random
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import precision_recall_fscore_support

from contracts.home import Home
from contracts.reference import load_reference
from contracts.release import METRICS_FILE, REFERENCE_FILE, Manifest
from contracts.several_labels import choose_labels, label_scores
from contracts.task import DataSpec, GateSpec, TaskSpec
from training.artefact.onnx_artefact import Artefact
from training.data.dataset import load_dataset
from training.data.multilabel import MultiLabelRow
from training.data.rows import rows_of
from training.evaluation.several_floors import truth_table
from training.evaluation.thresholds import choose_thresholds
from training.kinds.several_labels import score_labels
from training.pipeline import train

WORDS = {"money": ("refund", "invoice", "card"), "talk": ("hello", "thanks", "phone"), "way": ("courier", "parcel")}
FILLER = ("please", "the", "my", "is", "was", "today", "again", "need")


@pytest.fixture(scope="module")
def spec(tmp_path_factory: pytest.TempPathFactory, kind_spec: Callable[..., TaskSpec]) -> TaskSpec:
    rng = random.Random(3)
    path = tmp_path_factory.mktemp("several") / "rows.jsonl"
    rows = []
    for _ in range(360):
        labels = [label for label in WORDS if rng.random() < 0.4]
        words = [rng.choice(FILLER) for _ in range(rng.randint(2, 6))] + [rng.choice(WORDS[label]) for label in labels]
        rng.shuffle(words)
        rows.append(json.dumps({"text": " ".join(words), "label": labels}))
    path.write_text("\n".join(rows))
    gate = GateSpec(min_f1=0.85, max_quantization_drop=0.1)
    made = kind_spec("classification", DataSpec(path=str(path)), epochs=6, gate=gate)
    return made.model_copy(update={"multi_label": True})


@pytest.fixture(scope="module")
def release(spec: TaskSpec, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Manifest]:
    home = Home(tmp_path_factory.mktemp("home"))
    manifest = train(home, spec)
    return home.release(manifest.task, manifest.version), manifest


def test_a_release_with_a_threshold_a_label(release: tuple[Path, Manifest]) -> None:
    folder, manifest = release
    assert manifest.labels == ("money", "talk", "way")
    assert manifest.thresholds is not None
    assert all(0.05 <= threshold <= 0.95 for threshold in manifest.thresholds)
    assert manifest.metrics["f1"] > 0.85 > manifest.metrics["majority_f1"]
    artefact = Artefact.of_release(folder, manifest.max_tokens, threads=1)
    scores = label_scores(artefact.run(["my refund courier", "please the my"]).logits, manifest.temperature)
    told = [choose_labels(row, manifest.labels, manifest.thresholds) for row in scores]
    assert [one.label for one in told] == ["money+way", "none"]
    assert [label for label, _ in told[0].found] == ["money", "way"]


def test_the_figures_are_those_of_the_published_artefact(release: tuple[Path, Manifest], spec: TaskSpec) -> None:
    folder, manifest = release
    rows = rows_of(MultiLabelRow, load_dataset(spec).test)
    artefact = Artefact.of_release(folder, manifest.max_tokens, threads=1)
    scores = label_scores(artefact.run([row.text for row in rows]).logits, manifest.temperature)
    given_labels = scores >= np.array(manifest.thresholds, dtype=np.float32)
    truth = truth_table(rows, manifest.labels)
    assert manifest.metrics["f1"] == pytest.approx(
        2 * (given_labels & truth).sum() / (given_labels.sum() + truth.sum())
    )
    assert manifest.metrics["accuracy"] == pytest.approx((given_labels == truth).all(axis=1).mean())
    found = json.loads((folder / METRICS_FILE).read_text())
    assert [one["label"] for one in found["labels"]] == ["money", "talk", "way"]
    reference = load_reference(folder / REFERENCE_FILE)
    assert reference.predicted.max() < len(manifest.logged_labels)


@given(st.integers(0, 2**32 - 1), st.integers(2, 4))
def test_labels_are_scored_as_scikit_learn_does(seed: int, labels: int) -> None:
    given_labels, truth = np.random.default_rng(seed).random((2, 12, labels)) < 0.4
    expected = precision_recall_fscore_support(truth, given_labels, average=None, zero_division=0)
    told = score_labels([str(place) for place in range(labels)], [0.5] * labels, given_labels, truth)
    np.testing.assert_allclose([[one.precision, one.recall, one.f1, one.rows] for one in told], np.transpose(expected))


def test_one_label_alone_is_scored_as_itself() -> None:
    truth, given_labels = np.array([[True], [False], [True]]), np.array([[True], [True], [True]])
    (told,) = score_labels(["rude"], [0.5], given_labels, truth)
    assert (told.precision, told.recall, told.f1, told.rows) == (pytest.approx(2 / 3), 1.0, 0.8, 2)


@given(st.integers(0, 2**32 - 1))
def test_no_other_threshold_would_have_been_better(seed: int) -> None:
    rng = np.random.default_rng(seed)
    truth = rng.random((60, 1)) < 0.4
    truth[:10] = True
    scores = np.clip(rng.normal(0.35 + 0.3 * truth, 0.15), 0.06, 0.94).astype(np.float32)
    (threshold,) = choose_thresholds(scores, truth)

    def f1(at: float) -> float:
        given_labels = scores >= at
        return float(2 * (given_labels & truth).sum() / max(given_labels.sum() + truth.sum(), 1))

    assert f1(threshold) >= max(f1(float(at)) for at in scores[:, 0]) - 1e-9


def test_a_label_on_few_texts_counts_from_one_half() -> None:
    scores = np.linspace(0, 1, 20, dtype=np.float32)[:, None]
    assert choose_thresholds(scores, scores > 0.6) == (0.5,)


@given(st.lists(st.floats(-1e6, 1e6, width=32), min_size=1, max_size=5), st.floats(0.05, 20))
def test_scores_are_probabilities_and_thresholds_decide(logits: list[float], temperature: float) -> None:
    scores = label_scores(np.array(logits, dtype=np.float32), temperature)
    assert ((scores >= 0) & (scores <= 1)).all()
    labels = [f"label-{place}" for place in range(len(logits))]
    told = choose_labels(scores, labels, [0.5] * len(logits))
    assert [label for label, _ in told.found] == [
        label for label, score in zip(labels, scores, strict=True) if score >= 0.5
    ]
    assert 0 <= told.score <= 1
    assert (told.label == "none") == (not told.found)
