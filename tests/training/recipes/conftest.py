"""Tiny texts as a network reads them."""

from __future__ import annotations

import io
from collections.abc import Callable
from pathlib import Path

import pytest
from rich.console import Console

from training.artefact.onnx_artefact import tokenize
from training.artefact.tokenizer import write_tokenizer
from training.learning.base_model import BaseModel, resolve
from training.learning.lesson import Encoded
from training.progress import Progress, Stage

LABELS = ("billing", "delivery", "other")


@pytest.fixture
def base(tiny_base: Path) -> BaseModel:
    return resolve(str(tiny_base), max_tokens=32)


@pytest.fixture
def printed() -> io.StringIO:
    return io.StringIO()


@pytest.fixture
def stage(printed: io.StringIO) -> Stage:
    return Stage(Console(file=printed, width=200), None, None)


@pytest.fixture
def progress(printed: io.StringIO) -> Progress:
    return Progress(Console(file=printed, width=200))


@pytest.fixture
def encode(base: BaseModel, tiny_rows: Callable, tmp_path: Path) -> Callable[[int, int], Encoded]:
    """n rows by a seed, as token ids and indices of labels."""
    tokenizer = write_tokenizer(base, tmp_path / "tokenizer.json", sample=[])

    def make(count: int, seed: int) -> Encoded:
        rows = tiny_rows(count, seed)
        ids = tokenize(tokenizer, [text for text, _ in rows], 32).ids
        return Encoded(ids, [LABELS.index(label) for _, label in rows])

    return make
