"""The exported graph is the network: for every architecture that may be trained, in every shape of batch."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from transformers import AutoConfig, AutoModel

from training.artefact import Artefact
from training.base_model import ENCODERS
from training.classifier import TextClassifier
from training.export import check_agreement, export_onnx
from training.quantize import quantize

SMALL = {
    "vocab_size": 60,
    "hidden_size": 32,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
    "intermediate_size": 64,
    "max_position_embeddings": 40,
}
DIFFERENT = {
    "distilbert": {
        "vocab_size": 60,
        "dim": 32,
        "n_layers": 2,
        "n_heads": 2,
        "hidden_dim": 64,
        "max_position_embeddings": 40,
    },
    "electra": {**SMALL, "embedding_size": 16},
    "albert": {**SMALL, "embedding_size": 16},
    "deberta-v2": {**SMALL, "relative_attention": True, "pos_att_type": ["p2c", "c2p"]},
    "modernbert": {**SMALL, "pad_token_id": 0, "reference_compile": False},
}


def small_model(architecture: str, *, labels: int = 3, seed: int = 3) -> TextClassifier:
    torch.manual_seed(seed)
    config = AutoConfig.for_model(architecture, **DIFFERENT.get(architecture, SMALL))
    return TextClassifier(AutoModel.from_config(config), labels).eval()


def rows(count: int, seed: int = 1) -> list[list[int]]:
    rng = np.random.default_rng(seed)
    return [rng.integers(5, 60, size=rng.integers(1, 30)).tolist() for _ in range(count)]


@pytest.fixture
def load(tiny_base: Path):
    return lambda path: Artefact(path, tiny_base / "tokenizer.json", 32, threads=1)


@pytest.mark.parametrize("architecture", ENCODERS)
def test_every_architecture_exports_to_a_graph_that_agrees_with_torch(architecture: str, tmp_path: Path, load) -> None:
    model = small_model(architecture)
    export_onnx(model, tmp_path / "model.onnx")
    artefact = load(tmp_path / "model.onnx")
    assert check_agreement(model, artefact, rows(7)) < 1e-4
    assert check_agreement(model, artefact, rows(1, seed=2)) < 1e-4
    quantize(tmp_path / "model.onnx", tmp_path / "int8.onnx", model.config, "avx512_vnni")
    logits, embedding = load(tmp_path / "int8.onnx").forward(rows(5))
    assert logits.shape == (5, 3)
    assert embedding.shape == (5, 32)
