"""Graphs of spans and of vectors are their networks, whatever the architecture knows of segments."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
import torch
from transformers import AutoConfig, AutoModel

from training.artefact.export import check_agreement, export_onnx
from training.artefact.onnx_artefact import Artefact
from training.artefact.quantize import quantize
from training.kinds.embedder import Embedder
from training.kinds.span_objective import SPANS
from training.kinds.vector_objectives import MATCHES
from training.learning.base_model import ENCODERS
from training.learning.classifier import TokenClassifier, torch_outputs

SMALL = {
    "vocab_size": 60,
    "hidden_size": 32,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
    "intermediate_size": 64,
    "max_position_embeddings": 40,
}
DIFFERENT: dict[str, dict[str, object]] = {
    "distilbert": {"dim": 32, "n_layers": 2, "n_heads": 2, "hidden_dim": 64},
    "bert": {"type_vocab_size": 2},
    "electra": {"embedding_size": 16, "type_vocab_size": 2},
    "albert": {"embedding_size": 16, "type_vocab_size": 2},
    "deberta-v2": {"type_vocab_size": 2, "relative_attention": True, "pos_att_type": ["p2c", "c2p"]},
    "modernbert": {"pad_token_id": 0, "reference_compile": False},
    "roberta": {"type_vocab_size": 1},
    "camembert": {"type_vocab_size": 1},
    "xlm-roberta": {"type_vocab_size": 1},
}
WITH_SEGMENTS = ("albert", "bert", "electra", "deberta-v2")


def encoder(architecture: str) -> object:
    torch.manual_seed(3)
    return AutoModel.from_config(AutoConfig.for_model(architecture, **SMALL | DIFFERENT.get(architecture, {})))


def rows(count: int) -> tuple[list[list[int]], list[list[int]]]:
    rng = np.random.default_rng(4)
    ids = [rng.integers(5, 60, size=rng.integers(2, 30)).tolist() for _ in range(count)]
    return ids, [[0] * (len(one) // 2) + [1] * (len(one) - len(one) // 2) for one in ids]


def load(path: Path, tiny_base: Path) -> Artefact:
    return Artefact(path, tiny_base / "tokenizer.json", 32, threads=1)


@pytest.mark.parametrize("architecture", ENCODERS)
def test_spans(architecture: str, tmp_path: Path, tiny_base: Path) -> None:
    model = TokenClassifier(encoder(architecture), 2, SPANS).eval()
    export_onnx(model, tmp_path / "model.onnx")
    artefact = load(tmp_path / "model.onnx", tiny_base)
    ids, segments = rows(6)
    assert check_agreement(model, artefact, ids, segments) < 1e-4
    logits = artefact.run_rows(ids, segments, batch=4)["logits"]
    assert [found.shape for found in logits] == [(len(one), 2) for one in ids]
    told_apart = not np.allclose(logits[0], artefact.run_rows(ids[:1])["logits"][0], atol=1e-5)
    assert told_apart == (architecture in WITH_SEGMENTS)
    quantize(tmp_path / "model.onnx", tmp_path / "int8.onnx", model.config, "avx512_vnni")
    assert np.isfinite(load(tmp_path / "int8.onnx", tiny_base).run_rows(ids, segments)["logits"][0]).all()


def alone(artefact: Artefact, ids: Sequence[Sequence[int]]) -> list[np.ndarray]:
    return [artefact.run_rows([one])["embedding"][0] for one in ids]


@pytest.mark.parametrize("architecture", ENCODERS)
def test_vectors(architecture: str, tmp_path: Path, tiny_base: Path) -> None:
    model = Embedder(encoder(architecture), MATCHES).eval()
    export_onnx(model, tmp_path / "model.onnx")
    artefact = load(tmp_path / "model.onnx", tiny_base)
    assert [entry.name for entry in artefact.session.get_outputs()] == ["embedding"]
    ids, _ = rows(7)
    assert check_agreement(model, artefact, ids) < 1e-4
    together = np.stack(artefact.run_rows(ids, batch=3)["embedding"])
    np.testing.assert_allclose(
        together, torch_outputs(model, ids, "embedding", advance=lambda _: None, batch=4), atol=1e-4
    )
    np.testing.assert_allclose(together, np.stack(alone(artefact, ids)), atol=1e-5)
