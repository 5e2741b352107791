"""Tagged texts become a release that finds entities."""

from __future__ import annotations

import io
import json
import random
from pathlib import Path

import pytest
from rich.console import Console

from contracts.entities import words_of
from contracts.home import Home
from contracts.reference import load_reference
from contracts.release import METRICS_FILE, REFERENCE_FILE, REPORT_FILE, Manifest
from contracts.task import DataSpec, GateSpec, ModelSpec, TaskSpec, TrainSpec
from training.artefact.onnx_artefact import Artefact
from training.artefact.tokenizer import write_tokenizer
from training.data.row_kinds import read_split
from training.data.tagged import tagged_row
from training.kinds.kinds import KINDS
from training.kinds.token_rows import piece_labels, read_pieces, run_artefact
from training.learning.base_model import resolve
from training.learning.objective import IGNORED
from training.pipeline import train
from training.progress import Stage

PLACES = ("parcel", "courier", "shipping")
MONEY = ("invoice", "refund", "payment", "card")
FILLER = ("please", "the", "my", "is", "was", "today", "again", "i", "need", "help", ",")  # a comma is no known word
TAGS = ("O", "B-money", "I-money", "B-way", "I-way")


def sentence(rng: random.Random) -> tuple[list[str], list[str]]:
    tokens, tags = [], []
    for _ in range(rng.randint(3, 9)):
        pick = rng.random()
        if pick < 0.2:
            tokens.append(rng.choice(PLACES))
            tags.append("B-way")
        elif pick < 0.4:
            tokens += [rng.choice(MONEY), "late"]
            tags += ["B-money", "I-money"]
        else:
            tokens.append(rng.choice(FILLER))
            tags.append("O")
    return tokens, tags


@pytest.fixture(scope="module")
def spec(tiny_base: Path, tmp_path_factory: pytest.TempPathFactory) -> TaskSpec:
    rng = random.Random(4)
    path = tmp_path_factory.mktemp("tagged") / "rows.jsonl"
    made = [dict(zip(("tokens", "ner_tags"), sentence(rng), strict=True)) for _ in range(330)]
    path.write_text("\n".join(json.dumps(row) for row in made))
    return TaskSpec(
        name="names",
        kind="token-classification",
        data=DataSpec(path=str(path)),
        model=ModelSpec(base=str(tiny_base), max_tokens=32, freeze_embeddings=False),
        train=TrainSpec(epochs=4, batch_size=16, learning_rate=5e-3, patience=4),
        gate=GateSpec(min_f1=0.9, max_quantization_drop=0.1),
    )


@pytest.fixture(scope="module")
def release(spec: TaskSpec, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Manifest]:
    home = Home(tmp_path_factory.mktemp("home"))
    manifest = train(home, spec)
    return home.release("names", manifest.version), manifest


def test_a_release_finds_entities_with_their_places(release: tuple[Path, Manifest]) -> None:
    folder, manifest = release
    assert manifest.labels == TAGS
    assert manifest.metrics["f1"] > 0.9
    artefact = Artefact.of_release(folder, manifest.max_tokens, threads=1)
    text = "my  Refund late, the courier!"
    found = run_artefact(artefact, [text]).read(manifest.labels, manifest.temperature)[0]
    assert [(text[one.start : one.end], one.label) for one in found.found] == [
        ("Refund late", "money"),
        ("courier", "way"),
    ]
    assert found.label == "money+way"
    assert 0.5 < found.score <= 1


def test_what_the_log_may_hold_is_what_the_reference_counts(release: tuple[Path, Manifest]) -> None:
    folder, manifest = release
    assert manifest.outcomes is not None
    assert {"money+way", "money", "way", "none"} <= set(manifest.outcomes)
    reference = load_reference(folder / REFERENCE_FILE)
    assert reference.predicted.max() < len(manifest.logged_labels)
    assert reference.accuracy > 0.8


def test_figures_and_report_speak_of_entities(release: tuple[Path, Manifest]) -> None:
    folder, manifest = release
    metrics = manifest.metrics
    assert [verdict.name for verdict in manifest.gate] == [
        "min_macro_f1",
        "min_f1",
        "max_quantization_drop",
        "max_size_mb",
    ]
    assert metrics["f1_low"] <= metrics["f1"] <= metrics["f1_high"]
    assert metrics["beats_lexicon_by"] == pytest.approx(metrics["f1"] - metrics["lexicon_f1"], abs=1e-6)
    found = json.loads((folder / METRICS_FILE).read_text())
    assert {one["label"] for one in found["entities"]} == {"money", "way"}
    page = (folder / REPORT_FILE).read_text()
    assert "entity F1" in page
    assert "Types of entity" in page


def test_each_word_is_labelled_on_its_first_piece_alone(tiny_base: Path, tmp_path: Path) -> None:
    tokenizer = write_tokenizer(resolve(str(tiny_base), max_tokens=32), tmp_path / "tokenizer.json", sample=[])
    row = tagged_row("my zzyx Late", ((0, 2), (3, 7), (8, 12)), ("O", "B-way", "I-way"), "f", 1)
    pieces = read_pieces(tokenizer, [row.text], 32)
    labels = piece_labels(row, pieces.words[0], len(pieces.tokenized.ids[0]), TAGS)
    assert labels == [IGNORED, 0, 3, IGNORED, IGNORED, IGNORED, 4, IGNORED]


def test_words_behind_the_cut_are_neither_learned_nor_read(tiny_base: Path, tmp_path: Path) -> None:
    tokenizer = write_tokenizer(resolve(str(tiny_base), max_tokens=32), tmp_path / "tokenizer.json", sample=[])
    pieces = read_pieces(tokenizer, ["my card " * 20, ""], 8)
    assert [len(words) for words in pieces.words] == [6, 0]
    assert [len(ids) for ids in pieces.tokenized.ids] == [8, 2]


def test_words_sharing_a_piece_and_spaces_within_pieces() -> None:
    # As a byte-level or a sentence-piece tokenizer cuts: the space belongs to the piece, "..." is one piece.
    text = "go to Rome..."
    words = words_of(text, [(0, 0), (0, 2), (2, 5), (5, 8), (8, 10), (10, 13), (0, 0)])
    assert [(text[word.start : word.end], word.piece) for word in words] == [
        ("go", 1),
        ("to", 2),
        ("Rome", 3),
        (".", 5),
    ]


def test_a_successor_is_compared_by_tags(release: tuple[Path, Manifest], spec: TaskSpec) -> None:
    folder, manifest = release
    kind = KINDS["token-classification"]
    rows = read_split(str(spec.data.path), spec)[:40]
    artefact = Artefact.of_release(folder, manifest.max_tokens, threads=1)
    stage = Stage(Console(file=io.StringIO()), None, None)
    answers = kind.answers(artefact, manifest.labels, rows, stage)
    right = [one == other for one, other in zip(answers, kind.truths(rows), strict=True)]
    assert sum(right) > 30
