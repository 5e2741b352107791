"""A tiny network and rows for it."""

from __future__ import annotations

import io
from collections.abc import Callable
from pathlib import Path

import pytest
from rich.console import Console

from training.artefact.onnx_artefact import tokenize
from training.artefact.tokenizer import write_tokenizer
from training.learning.base_model import resolve
from training.learning.classifier import TextClassifier, build_classifier
from training.learning.finetune import Encoded
from training.progress import Stage

LABELS = ("billing", "delivery", "other")


@pytest.fixture
def stage() -> Stage:
    return Stage(Console(file=io.StringIO()), None, None)


@pytest.fixture
def model(tiny_base: Path) -> TextClassifier:
    return build_classifier(resolve(str(tiny_base), max_tokens=32), 3, 1)


@pytest.fixture
def encode(
    tiny_base: Path, tiny_rows: Callable[[int, int], list[tuple[str, str]]], tmp_path: Path
) -> Callable[[int, int], Encoded]:
    tokenizer = write_tokenizer(resolve(str(tiny_base), max_tokens=32), tmp_path / "tokenizer.json", sample=[])

    def make(count: int, seed: int) -> Encoded:
        rows = tiny_rows(count, seed)
        ids = tokenize(tokenizer, [text for text, _ in rows], 32).ids
        return Encoded(ids, [LABELS.index(label) for _, label in rows])

    return make
