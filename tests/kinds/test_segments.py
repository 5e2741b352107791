"""A base model of two segments whose tokenizer says 0 for both texts, as multilingual-e5's does."""

from __future__ import annotations

import json
import random
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tokenizers import Tokenizer, processors

from contracts.home import Home
from contracts.task import DataSpec, GateSpec, ModelSpec, TaskSpec, TrainSpec
from service.engine.loading import load_release
from training.artefact.onnx_artefact import Artefact
from training.data.dataset import load_dataset
from training.data.questions import QuestionRow
from training.data.rows import rows_of
from training.kinds.question_rows import read_rows
from training.pipeline import train


@pytest.fixture
def base(tiny_base: Path, tmp_path: Path) -> Path:
    folder = tmp_path / "base"
    shutil.copytree(tiny_base, folder)
    tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
    special = [(name, tokenizer.token_to_id(name)) for name in ("[CLS]", "[SEP]")]
    tokenizer.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]", pair="[CLS] $A [SEP] $B [SEP]", special_tokens=special
    )
    tokenizer.save(str(folder / "tokenizer.json"))
    (folder / "vocab.txt").unlink(missing_ok=True)
    config = json.loads((folder / "tokenizer_config.json").read_text())
    (folder / "tokenizer_config.json").write_text(
        json.dumps(config | {"tokenizer_class": "PreTrainedTokenizerFast", "backend": "tokenizers"})
    )
    return folder


def test_the_service_reads_the_segments_that_were_trained_on(
    base: Path, asked_rows: Callable[[random.Random], list[dict[str, Any]]], home: Home, tmp_path: Path
) -> None:
    path = tmp_path / "rows.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in asked_rows(random.Random(2))[:120]))
    spec = TaskSpec(
        name="tiny",
        kind="question-answering",
        data=DataSpec(path=str(path)),
        model=ModelSpec(base=str(base), freeze_embeddings=False, max_tokens=24, stride=6),
        train=TrainSpec(epochs=1, batch_size=16, learning_rate=5e-3),
        gate=GateSpec(max_quantization_drop=1.0),
    )
    manifest = train(home, spec)
    assert manifest.token_type_ids
    artefact = Artefact.of_release(home.release("tiny", manifest.version), manifest.max_tokens, threads=1)
    served = load_release(home, "tiny", manifest.version, threads=1)
    questions = rows_of(QuestionRow, load_dataset(spec).test)[:6]
    read = read_rows(artefact.tokenizer, questions, max_tokens=24, stride=6)
    windows = [window for one in read for window in one.windows]
    rows = [row for one in served.encode([question.text for question in questions]) for row in one.rows]
    assert rows == [window.ids for window in windows]
    # One by one: sums of other lengths differ in the last bits.
    for row, window in zip(rows, windows, strict=True):
        measured = artefact.forward([window.ids], [window.type_ids])["logits"]
        np.testing.assert_array_equal(served.predict([row]).logits, measured)
        second = [int(place >= window.first) for place in range(len(row))]
        assert not np.array_equal(artefact.forward([window.ids], [second])["logits"], measured)
