"""Tiny data of questions, labelled texts and pairs, whose words the tiny base model knows."""

from __future__ import annotations

import json
import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from contracts.task import DataSpec, GateSpec, Kind, ModelSpec, TaskSpec, TrainSpec

FILLER = ("please", "the", "my", "is", "was", "today", "again", "need", "help", "with", "about", "and")
VALUES = ("late", "refund", "courier", "hello", "shipping", "hours")


def question(rng: random.Random, number: int) -> dict[str, Any]:
    """A context of filler in which, three times in four, one word stands out: that is the answer."""
    words = [rng.choice(FILLER) for _ in range(16)]
    place = rng.randrange(len(words))
    answers: dict[str, list[Any]] = {"text": [], "answer_start": []}
    if rng.random() < 0.75:
        words[place] = rng.choice(VALUES)
        answers = {"text": [words[place]], "answer_start": [len("".join(f"{word} " for word in words[:place]))]}
    context, source = f"{' '.join(words)} {number}", ("mail", "chat")[number % 2]
    return {"id": str(number), "question": "i need ?", "context": context, "answers": answers, "source": source}


@pytest.fixture(scope="session")
def write_lines() -> Callable[[Path, list[dict[str, Any]]], Path]:
    def write(path: Path, rows: list[dict[str, Any]]) -> Path:
        path.write_text("".join(json.dumps(row) + "\n" for row in rows))
        return path

    return write


@pytest.fixture(scope="session")
def questions_file(tmp_path_factory: pytest.TempPathFactory, write_lines: Callable[..., Path]) -> Path:
    rng = random.Random(4)
    rows = [question(rng, number) for number in range(400)]
    return write_lines(tmp_path_factory.mktemp("questions") / "rows.jsonl", rows)


@pytest.fixture(scope="session")
def kind_spec(tiny_base: Path) -> Callable[..., TaskSpec]:
    """A task of any kind on the tiny base model."""

    def make(kind: Kind, data: DataSpec, *, epochs: int = 2, gate: GateSpec | None = None, **model: int) -> TaskSpec:
        return TaskSpec(
            name="tiny",
            kind=kind,
            data=data,
            model=ModelSpec(base=str(tiny_base), freeze_embeddings=False, **{"max_tokens": 32, **model}),
            train=TrainSpec(epochs=epochs, batch_size=16, learning_rate=5e-3, patience=epochs),
            gate=gate or GateSpec(max_quantization_drop=0.3),
        )

    return make
