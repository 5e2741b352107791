"""Labelled texts and pairs to a published release whose vectors are near each other where they should be."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from contracts.errors import TrainingError
from contracts.home import Home
from contracts.reference import load_reference
from contracts.release import REFERENCE_FILE, Manifest
from contracts.task import DataSpec, TaskSpec
from contracts.vectors import unit
from training.artefact.onnx_artefact import Artefact, tokenize
from training.data.dataset import load_dataset
from training.data.pairs import pair_row
from training.data.rows import Row
from training.kinds.kinds import kind_of
from training.kinds.nearness import recall_at
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
    assert ("recall_at_1" in manifest.metrics) == (pairs == "matching")


def test_a_text_with_no_other_to_be_near_is_not_right(spec: TaskSpec) -> None:
    found = kind_of(spec)._nearness(lambda texts: np.ones((len(texts), 2)), labelled("a"), (), 0)
    assert found.figures["recall_at_1"] == 0.0
    assert found.right.tolist() == [False]


def test_successors_are_refused(spec: TaskSpec) -> None:
    with pytest.raises(TrainingError, match="similarity"):
        kind_of(spec).answers(None, (), (), None)
