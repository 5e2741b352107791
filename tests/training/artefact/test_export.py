"""The exported graph is the network: for every architecture that may be trained, in every shape of batch."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import pytest
import torch
from transformers import AutoConfig, AutoModel

from contracts.errors import TrainingError
from training.artefact.export import check_agreement, export_onnx
from training.artefact.graphs import inferred
from training.artefact.onnx_artefact import Artefact
from training.artefact.quantize import instruction_set, quantize
from training.artefact.scales import fix_scales
from training.learning.base_model import ENCODERS
from training.learning.classifier import TextClassifier, torch_logits

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
def test_every_architecture_exports_to_a_graph_that_agrees_with_torch(
    architecture: str, tmp_path: Path, tiny_base: Path, load
) -> None:
    model = small_model(architecture)
    export_onnx(model, tmp_path / "model.onnx")
    artefact = load(tmp_path / "model.onnx")
    assert check_agreement(model, artefact, rows(7)) < 1e-4
    assert check_agreement(model, artefact, rows(1, seed=2)) < 1e-4
    quantize(tmp_path / "model.onnx", tmp_path / "int8.onnx", model.config, "avx512_vnni")
    found = load(tmp_path / "int8.onnx").forward(rows(5))
    assert found["logits"].shape == (5, 3)
    assert found["embedding"].shape == (5, 32)
    graph = onnx.load(str(tmp_path / "int8.onnx")).graph
    weights = {initializer.name for initializer in graph.initializer}
    left = [node for node in graph.node if node.op_type == "MatMul"]
    assert left, "products of activations are float"
    assert weights.isdisjoint(name for node in left for name in node.input), "and nothing else is"
    assert all(node.input[1] in weights for node in graph.node if node.op_type == "MatMulInteger")
    assert ranks_of_products(onnx.load(tmp_path / "model.onnx")) == {2}, "of real tokens alone: [tokens, width]"
    fix_scales(tmp_path / "int8.onnx", tiny_base / "tokenizer.json", rows(20), threads=1)
    fixed, texts = load(tmp_path / "int8.onnx"), rows(12, seed=5)
    alone = np.concatenate([fixed.forward([ids])["logits"] for ids in texts])
    np.testing.assert_allclose(fixed.forward(texts)["logits"], alone, atol=1e-5)
    assert all(node.op_type != "DynamicQuantizeLinear" for node in onnx.load(str(tmp_path / "int8.onnx")).graph.node)


def ranks_of_products(model: onnx.ModelProto) -> set[int]:
    """Of what is multiplied with weights."""
    shapes = inferred(model)
    weights = {initializer.name for initializer in model.graph.initializer}
    return {
        len(shapes[node.input[0]])
        for node in model.graph.node
        if node.op_type == "MatMul" and node.input[1] in weights and node.input[0] in shapes
    }


def test_padding_and_the_order_of_texts_change_nothing(tmp_path: Path, load) -> None:
    model = small_model("bert")
    export_onnx(model, tmp_path / "model.onnx")
    artefact = load(tmp_path / "model.onnx")
    texts = ["refund", "the parcel is late " * 6, "hello", "my card was charged again and again"]
    together = artefact.run(texts)
    for index, text in enumerate(texts):
        alone = artefact.run([text])
        np.testing.assert_allclose(alone.logits[0], together.logits[index], atol=1e-5)
        np.testing.assert_allclose(alone.embeddings[0], together.embeddings[index], atol=1e-5)
    backwards = artefact.run(texts[::-1], batch=2)
    np.testing.assert_allclose(backwards.logits[::-1], together.logits, atol=1e-5)
    assert backwards.tokenized.lengths[::-1].tolist() == together.tokenized.lengths.tolist()


def test_a_graph_of_another_model_is_found_out(tmp_path: Path, load) -> None:
    export_onnx(small_model("bert", seed=8), tmp_path / "model.onnx")
    with pytest.raises(TrainingError, match="does not agree with torch"):
        check_agreement(small_model("bert"), load(tmp_path / "model.onnx"), rows(4))


def test_sorted_batches_give_torch_logits_in_the_order_of_the_texts() -> None:
    model, texts = small_model("bert"), rows(9)
    expected = [torch_logits(model, [ids], advance=lambda _: None)[0] for ids in texts]
    np.testing.assert_allclose(torch_logits(model, texts, advance=lambda _: None, batch=4), expected, atol=1e-5)


@pytest.mark.parametrize(
    ("machine", "flags", "scheme"),
    [
        ("x86_64", "sse4_2 avx2 avx512_vnni", "avx512_vnni"),
        ("x86_64", "avx2 avx_vnni", "avx512_vnni"),
        ("x86_64", "avx2 fma", "avx2"),
        ("aarch64", "asimd", "arm64"),
    ],
)
def test_int8_weights_suit_the_machine(machine: str, flags: str, scheme: str) -> None:
    assert instruction_set(machine, f"flags : {flags}\n") == scheme


@pytest.mark.parametrize("scheme", ["avx512_vnni", "avx2", "arm64"])
def test_quantized_graphs_are_smaller_and_close(scheme: str, tmp_path: Path, load) -> None:
    model = small_model("bert")
    export_onnx(model, tmp_path / "model.onnx")
    quantize(tmp_path / "model.onnx", tmp_path / "int8.onnx", model.config, scheme)
    assert (tmp_path / "int8.onnx").stat().st_size < (tmp_path / "model.onnx").stat().st_size
    found = load(tmp_path / "int8.onnx").forward(rows(6))["logits"]
    expected = load(tmp_path / "model.onnx").forward(rows(6))["logits"]
    assert np.abs(found - expected).max() < 0.1 * max(1.0, np.abs(expected).max())
