"""Labelled texts and pairs to a published release whose vectors are near each other where they should be."""

from __future__ import annotations

import json
import random
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from contracts.errors import TrainingError
from contracts.home import Home
from contracts.reference import load_reference
from contracts.release import METRICS_FILE, REFERENCE_FILE, REPORT_FILE, Manifest
from contracts.task import DataSpec, LimitSpec, TaskSpec
from contracts.vectors import unit
from training.artefact.onnx_artefact import Artefact, tokenize
from training.data.dataset import load_dataset
from training.data.pairs import pair_row
from training.data.rows import Row
from training.kinds.kinds import kind_of
from training.kinds.lookups import LookedUp, PairScores
from training.kinds.nearness import nearest, recall_at
from training.kinds.nearness_analysis import analyse_nearness, furthest_pairs
from training.kinds.text_pairs import grouped, pairs_of, scored
from training.pipeline import train

GROUPS = (("late", "courier", "shipping"), ("refund", "invoice", "card"), ("hello", "thanks", "hours"))
FILLER = ("please", "the", "my", "is")


def labelled(labels: str) -> list[Row]:
    return [Row(f"text {place}", label, "rows.csv", place + 2) for place, label in enumerate(labels)]


def test_every_labelled_text_is_in_one_pair_with_another_of_its_label() -> None:
    rows = labelled("abcab" * 8 + "d")
    label_of = {row.text: row.label for row in rows}
    pairs = pairs_of(rows, 1)
    assert all(label_of[pair.first] == label_of[pair.second] for pair in pairs)
    counted = Counter(text for pair in pairs for text in (pair.first, pair.second))
    assert counted.keys() == label_of.keys()
    # "d" is alone; "a" and "b" are 16, "c" are 8.
    assert {text for text, count in counted.items() if count > 1} == {"text 40"}
    assert pairs_of(rows, 1) == pairs_of(rows, 1) != pairs_of(rows, 2)
    assert max(Counter(pair.first for pair in pairs_of(labelled("aaa"), 1)).values()) == 1


def test_pairs_that_share_a_text_are_of_one_group() -> None:
    links = [("a", "b"), ("c", "d"), ("b", "e"), ("f", "g"), ("e", "d")]
    rows = [pair_row(first, second, None, "rows.csv", 1) for first, second in links]
    groups = [pair.target for pair in pairs_of(rows, 1)]
    assert groups[0] == groups[1] == groups[2] == groups[4] != groups[3]


def test_what_has_no_scores_is_compared_with_strangers() -> None:
    pairs = scored(labelled("ab" * 10), 3)
    assert [pair.target for pair in pairs] == [1.0] * 10 + [0.0] * 10
    label_of = {row.text: row.label for row in labelled("ab" * 10)}
    assert all((label_of[pair.first] == label_of[pair.second]) == (pair.target == 1.0) for pair in pairs)


def test_labelled_queries_are_looked_up_among_known_texts_and_pairs_among_second_texts() -> None:
    queries, corpus = grouped(labelled("ab"), labelled("bca"))
    assert (queries.groups[0], queries.groups[1]) == (corpus.groups[2], corpus.groups[0])
    queries, corpus = grouped([pair_row("x", "y", None, "rows.csv", 1)])
    assert (queries.texts, corpus.texts) == (["x"], ["y"])


@pytest.fixture(scope="session")
def spec(
    tiny_rows: Callable[[int, int], Any],
    write_rows: Callable[..., Path],
    kind_spec: Callable[..., TaskSpec],
    tmp_path_factory: pytest.TempPathFactory,
) -> TaskSpec:
    path = write_rows(tmp_path_factory.mktemp("labelled") / "rows.csv", tiny_rows(300, 5))
    return kind_spec("similarity", DataSpec(path=str(path)), epochs=10)


@pytest.fixture(scope="session")
def embedded(spec: TaskSpec, tmp_path_factory: pytest.TempPathFactory) -> tuple[Home, Manifest]:
    home = Home(tmp_path_factory.mktemp("embedded"))
    return home, train(home, spec)


def test_the_figures_are_those_of_the_published_artefact(embedded: tuple[Home, Manifest], spec: TaskSpec) -> None:
    home, manifest = embedded
    artefact = Artefact.of_release(home.release(manifest.task, manifest.version), manifest.max_tokens, threads=1)
    assert [entry.name for entry in artefact.session.get_outputs()] == ["embedding"]
    data = load_dataset(spec)
    vectors = [
        unit(np.stack(artefact.run_rows(tokenize(artefact.tokenizer, [row.text for row in rows], 32).ids)["embedding"]))
        for rows in (data.test, data.train)
    ]
    labels = [np.array([row.label for row in rows]) for rows in (data.test, data.train)]
    found = recall_at((1, 5, 10), vectors[0], labels[0], vectors[1], labels[1])
    assert {count: manifest.metrics[f"recall_at_{count}"] for count in (1, 5, 10)} == pytest.approx(found)
    assert manifest.metrics["recall_at_1"] > 0.9
    assert manifest.metrics["spearman"] > 0.7
    assert manifest.labels == ("vector",)


def test_it_is_told_whose_nearest_is_wrong_and_what_the_base_model_could_do_already(
    embedded: tuple[Home, Manifest],
) -> None:
    home, manifest = embedded
    metrics, folder = manifest.metrics, home.release(manifest.task, manifest.version)
    found = json.loads((folder / METRICS_FILE).read_text())
    assert metrics["recall_at_1_low"] <= metrics["recall_at_1"] <= metrics["recall_at_1_high"]
    assert metrics["spearman_low"] <= metrics["spearman"] <= metrics["spearman_high"]
    assert metrics["beats_base_by"] == pytest.approx(metrics["recall_at_1"] - metrics["base_recall_at_1"], abs=1e-6)
    assert metrics["beats_base_by_low"] > 0
    assert found["errors"]["mistakes"] == round((1 - metrics["recall_at_1"]) * 45)
    assert found["sensitivity"]["rows"] == 45
    assert {one["property"] for one in found["slices"]} >= {"length"}
    report = (folder / REPORT_FILE).read_text()
    assert "The base model, untrained on this task" in report
    assert "The same texts, written otherwise" in report


def unit_vectors(*degrees: float) -> np.ndarray:
    return np.array([[np.cos(np.radians(one)), np.sin(np.radians(one))] for one in degrees], dtype=np.float32)


def test_the_nearest_of_another_label_are_the_mistakes(spec: TaskSpec) -> None:
    known, rows = labelled("aab"), labelled("abb")
    vectors = dict(zip(("text 0", "text 1", "text 2"), unit_vectors(0, 80, 90), strict=True))
    # Query 0 is with its own; 1 and 2 are nearest the second "a".
    asked = dict(zip(("text 0", "text 1", "text 2"), unit_vectors(1, 79, 84), strict=True))
    found = LookedUp(
        *grouped(rows, known), nearest(2, np.stack(list(asked.values())), np.stack(list(vectors.values())))
    )
    assert found.right.tolist() == [True, False, False]
    written: list[str] = []

    def embed(texts: Sequence[str]) -> np.ndarray:
        written.extend(texts)
        return np.stack([vectors.get(text.lower()[:6], vectors["text 2"]) for text in texts])

    pairs = PairScores(np.array([0.5, 0.9], dtype=np.float32), np.array([0, 1], dtype=np.float32))
    told = analyse_nearness(found, pairs, rows, known, embed, np.full(3, 4), spec=spec)
    first, second = told.details["errors"]["surest"]
    assert (first["line"], first["text"], first["beside"]) == (3, "text 1", "text 1")
    assert (first["wanted"], first["answer"]) == ("b", "a")
    assert first["score"] > second["score"] > 0.99
    assert [(one["truth"], one["predicted"], one["rows"]) for one in told.details["confusions"]] == [("b", "a", 2)]
    assert "TEXT 0" in written
    assert told.figures["recall_at_1"] == pytest.approx(1 / 3)
    silent = analyse_nearness(
        found,
        pairs,
        rows,
        known,
        embed,
        np.full(3, 4),
        spec=spec.model_copy(update={"limits": LimitSpec(log_text=False)}),
    )
    assert "text 1" not in json.dumps(silent.details["errors"])


def test_pairs_that_are_far_from_their_score_are_told() -> None:
    rows = [pair_row(f"first {n}", f"second {n}", score, "rows.csv", n + 2) for n, score in enumerate((0, 0.5, 1.0))]
    pairs = PairScores(np.array([0.9, 0.5, 0.1], dtype=np.float32), np.array([0, 0.5, 1], dtype=np.float32))
    found = furthest_pairs(pairs, rows, with_texts=True)
    assert found.mistakes == 2
    assert [(one.text, one.beside, one.wanted, one.answer) for one in found.surest] == [
        ("first 0", "second 0", "0.00", "0.90"),
        ("first 2", "second 2", "1.00", "0.10"),
    ]
    assert {one.text for one in furthest_pairs(pairs, rows, with_texts=False).surest} == {None}


def test_the_reference_holds_one_prediction_and_how_near_texts_are(embedded: tuple[Home, Manifest]) -> None:
    home, manifest = embedded
    reference = load_reference(home.release(manifest.task, manifest.version) / REFERENCE_FILE)
    assert set(reference.predicted.tolist()) == {0}
    assert set(reference.scores.tolist()) == {1.0}
    assert reference.accuracy > 0.8


@pytest.mark.parametrize("pairs", ["matching", "scored"])
def test_pairs_train_too(
    pairs: str,
    tmp_path: Path,
    write_lines: Callable[..., Path],
    kind_spec: Callable[..., TaskSpec],
    home: Home,
) -> None:
    rng = random.Random(6)
    rows = []
    for place in range(300):
        first, second = (rng.choice(GROUPS) for _ in range(2))
        if pairs == "matching":
            second = first
        one, other = (f"{rng.choice(group)} {rng.choice(FILLER)}" for group in (first, second))
        # The number keeps pairs apart that would be the same.
        rows.append({"first": f"{one} {place}", "second": other, "score": 5.0 * (first == second)})
    path = write_lines(tmp_path / "pairs.jsonl", rows)
    spec = kind_spec("similarity", DataSpec(path=str(path), pairs=pairs, max_score=5.0), epochs=6)
    manifest = train(home, spec)
    assert kind_of(spec).main.name == ("spearman" if pairs == "scored" else "recall_at_1")
    assert manifest.metrics["spearman"] > 0.5
    main = kind_of(spec).main.name
    for rival in ("tfidf", "base"):
        gain = manifest.metrics[main] - manifest.metrics[f"{rival}_{main}"]
        assert manifest.metrics[f"beats_{rival}_by"] == pytest.approx(gain, abs=1e-5)
    page = (home.release("tiny", manifest.version) / REPORT_FILE).read_text()
    assert ("The pairs that are furthest off" in page) == (pairs == "scored")
    assert ("recall_at_1" in manifest.metrics) == (pairs == "matching")


def test_a_text_with_no_other_to_be_near_is_not_right(spec: TaskSpec) -> None:
    found = kind_of(spec)._nearness(lambda texts: np.ones((len(texts), 2)), labelled("a"), (), 0)
    assert found.figures["recall_at_1"] == 0.0
    assert found.right.tolist() == [False]


def test_successors_are_refused(spec: TaskSpec) -> None:
    with pytest.raises(TrainingError, match="similarity"):
        kind_of(spec).answers(None, (), (), None)
