"""Every kind of task with tiny data, each trained once to a release."""

from __future__ import annotations

import json
import random
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from contracts.home import Home
from contracts.release import Manifest
from contracts.task import DataSpec, GateSpec, Kind, ModelSpec, TaskSpec, TrainSpec
from training.artefact.onnx_artefact import Artefact
from training.data.dataset import Dataset, load_dataset
from training.kinds.kind import TaskKind
from training.kinds.kinds import kind_of
from training.learning.base_model import resolve
from training.pipeline import train

TOPICS = {"money": ("refund", "invoice", "card"), "talk": ("hello", "thanks", "phone"), "way": ("courier", "parcel")}
FILLER = ("please", "the", "my", "is", "was", "today", "again", "need")
Rows = list[dict[str, Any]]


@dataclass(frozen=True)
class Trained:
    """One kind's task, its data and its release."""

    home: Home
    spec: TaskSpec
    dataset: Dataset
    manifest: Manifest
    kind: TaskKind

    @property
    def folder(self) -> Path:
        return self.home.release(self.manifest.task, self.manifest.version)

    @property
    def artefact(self) -> Artefact:
        return Artefact.of_release(self.folder, self.manifest.max_tokens, threads=1)


def classified(rng: random.Random) -> Rows:
    rows = []
    for label in [*TOPICS] * 100:
        words = [rng.choice(FILLER) for _ in range(rng.randint(2, 9))]
        words.insert(rng.randrange(len(words)), rng.choice(TOPICS[label]))
        rows.append({"text": " ".join(words), "label": label})
    return rows


def several(rng: random.Random) -> Rows:
    rows = []
    for _ in range(330):
        labels = [label for label in TOPICS if rng.random() < 0.4]
        words = [rng.choice(FILLER) for _ in range(rng.randint(2, 6))] + [rng.choice(TOPICS[label]) for label in labels]
        rng.shuffle(words)
        rows.append({"text": " ".join(words), "label": labels})
    return rows


def tagged(rng: random.Random) -> Rows:
    rows = []
    for _ in range(300):
        tokens: list[str] = []
        tags: list[str] = []
        for _ in range(rng.randint(3, 9)):
            label = rng.choice([None, None, "money", "way"])
            tokens.append(rng.choice(TOPICS[label] if label else FILLER))
            tags.append(f"B-{label}" if label else "O")
            if label == "money":
                tokens.append("late")
                tags.append("I-money")
        rows.append({"tokens": tokens, "ner_tags": tags})
    return rows


def asked(rng: random.Random) -> Rows:
    rows = []
    for number in range(330):
        words = [rng.choice(FILLER) for _ in range(14)]
        place = rng.randrange(len(words))
        answers: dict[str, list[Any]] = {"text": [], "answer_start": []}
        if rng.random() < 0.75:
            words[place] = rng.choice(TOPICS["way"])
            answers = {"text": [words[place]], "answer_start": [len("".join(f"{word} " for word in words[:place]))]}
        context = f"{' '.join(words)} {number}"
        rows.append({"id": str(number), "question": "i need ?", "context": context, "answers": answers})
    return rows


CASES: dict[str, tuple[Kind, Callable[[random.Random], Rows], dict[str, Any]]] = {
    "classification": ("classification", classified, {}),
    "multi-label": ("classification", several, {"multi_label": True}),
    "token-classification": ("token-classification", tagged, {}),
    "question-answering": ("question-answering", asked, {}),
    "similarity": ("similarity", classified, {}),
}


@pytest.fixture(scope="session")
def asked_rows() -> Callable[[random.Random], Rows]:
    return asked


@pytest.fixture(scope="session", params=CASES)
def trained(request: pytest.FixtureRequest, tiny_base: Path, tmp_path_factory: pytest.TempPathFactory) -> Trained:
    kind, rows, settings = CASES[request.param]
    folder = tmp_path_factory.mktemp(request.param)
    path = folder / "rows.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows(random.Random(6))))
    spec = TaskSpec(
        name="tiny",
        kind=kind,
        data=DataSpec(path=str(path)),
        model=ModelSpec(base=str(tiny_base), freeze_embeddings=False, max_tokens=24, stride=6),
        train=TrainSpec(epochs=6 if settings else 3, batch_size=16, learning_rate=5e-3, patience=6),
        gate=GateSpec(max_quantization_drop=0.1),
        **settings,
    )
    home = Home(folder / "home")
    home.root.mkdir()
    return Trained(home, spec, load_dataset(spec), train(home, spec), kind_of(spec))


@pytest.fixture(scope="session")
def network_of(tiny_base: Path) -> Callable[[Trained], Any]:
    """The untrained network of a kind: what holds of its export holds of any weights."""
    base = resolve(str(tiny_base), max_tokens=24)
    return lambda one: one.kind.build(base, one.dataset, one.spec).eval()
