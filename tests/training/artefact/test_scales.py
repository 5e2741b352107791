"""What a quantized graph says of a text is the same alone and among others."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import pytest
import torch
from onnx import TensorProto, helper, numpy_helper
from onnxruntime import InferenceSession
from transformers import AutoConfig, AutoModel

from contracts.errors import TrainingError
from training.artefact.export import export_onnx
from training.artefact.onnx_artefact import Artefact
from training.artefact.quantize import quantize
from training.artefact.scales import fix_scales, ranges, with_scales
from training.learning.classifier import TextClassifier

SMALL = {
    "vocab_size": 60,
    "hidden_size": 32,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
    "intermediate_size": 64,
    "max_position_embeddings": 40,
}


def rows(count: int, seed: int = 1) -> list[list[int]]:
    rng = np.random.default_rng(seed)
    return [rng.integers(5, 60, size=rng.integers(1, 30)).tolist() for _ in range(count)]


def load(path: Path, tiny_base: Path) -> Artefact:
    return Artefact(path, tiny_base / "tokenizer.json", 32, threads=1)


@pytest.fixture(scope="module")
def graphs(tmp_path_factory: pytest.TempPathFactory, tiny_base: Path) -> Path:
    """fp32.onnx, dynamic.onnx and fixed.onnx of one small network."""
    folder = tmp_path_factory.mktemp("graphs")
    torch.manual_seed(3)
    model = TextClassifier(AutoModel.from_config(AutoConfig.for_model("bert", **SMALL)), 3).eval()
    export_onnx(model, folder / "fp32.onnx")
    quantize(folder / "fp32.onnx", folder / "dynamic.onnx", model.config, "avx512_vnni")
    (folder / "fixed.onnx").write_bytes((folder / "dynamic.onnx").read_bytes())
    fix_scales(folder / "fixed.onnx", tiny_base / "tokenizer.json", rows(40), threads=1)
    return folder


def test_a_text_is_answered_alike_in_any_company(graphs: Path, tiny_base: Path) -> None:
    texts = rows(24, seed=2)
    moved = {}
    for name in ("dynamic", "fixed"):
        artefact = load(graphs / f"{name}.onnx", tiny_base)
        together = artefact.forward(texts)["logits"]
        alone = np.concatenate([artefact.forward([ids])["logits"] for ids in texts])
        moved[name] = np.abs(together - alone).max()
    assert moved["fixed"] < 1e-5 < 1e-3 < moved["dynamic"]


def test_what_it_says_is_as_near_to_the_network_as_with_dynamic_scales(graphs: Path, tiny_base: Path) -> None:
    texts = rows(60, seed=3)
    expected, dynamic, fixed = (
        np.concatenate([load(graphs / f"{name}.onnx", tiny_base).forward([ids])["logits"] for ids in texts])
        for name in ("fp32", "dynamic", "fixed")
    )
    assert np.abs(fixed - expected).mean() < 1.5 * np.abs(dynamic - expected).mean()


def test_each_product_is_one_step_and_nothing_is_left_of_the_old_ones(graphs: Path) -> None:
    before, after = (onnx.load(str(graphs / f"{name}.onnx")) for name in ("dynamic", "fixed"))
    onnx.checker.check_model(after)
    products = [node for node in before.graph.node if node.op_type == "MatMulInteger"]
    found = {node.name: node for node in after.graph.node if node.op_type == "MatMulIntegerToFloat"}
    assert set(found) == {node.name for node in products}
    assert {"DynamicQuantizeLinear", "MatMulInteger"}.isdisjoint(node.op_type for node in after.graph.node)
    constants = {one.name for one in after.graph.initializer}
    read = {name for node in after.graph.node for name in node.input}
    assert constants <= read, "nothing is kept that nothing reads"
    assert all(constants.issuperset(node.input[1:]) for node in found.values()), "all known but the activation"
    assert {path.name for path in graphs.glob("*.onnx")} == {"dynamic.onnx", "fixed.onnx", "fp32.onnx"}


def test_ranges_are_those_of_all_texts(graphs: Path, tiny_base: Path) -> None:
    model = onnx.load(str(graphs / "dynamic.onnx"))
    sample = rows(10)
    of_all = ranges(model, graphs, tiny_base / "tokenizer.json", sample, None, threads=1)
    of_each = [ranges(model, graphs, tiny_base / "tokenizer.json", [ids], None, threads=1) for ids in sample]
    assert len(of_all) == sum(node.op_type == "DynamicQuantizeLinear" for node in model.graph.node)
    for name, (low, high) in of_all.items():
        assert low == min(one[name][0] for one in of_each) <= 0.0 <= high == max(one[name][1] for one in of_each)


def test_segments_have_a_part_in_ranges(graphs: Path, tiny_base: Path) -> None:
    model = onnx.load(str(graphs / "dynamic.onnx"))
    ids = rows(4)
    found = [
        ranges(model, graphs, tiny_base / "tokenizer.json", ids, segments, threads=1)
        for segments in (None, [[0] * len(one) for one in ids], [[1] * len(one) for one in ids])
    ]
    assert found[0] == found[1] != found[2]


def test_an_activation_that_is_not_finite_is_told(graphs: Path, tiny_base: Path) -> None:
    model = onnx.load(str(graphs / "dynamic.onnx"))
    norm = next(one for one in model.graph.initializer if one.name.endswith("LayerNorm.weight"))
    norm.CopyFrom(numpy_helper.from_array(np.full(list(norm.dims), np.inf, dtype=np.float32), norm.name))
    with pytest.raises(TrainingError, match="not finite for validation text 1"):
        ranges(model, graphs, tiny_base / "tokenizer.json", rows(2), None, threads=1)
    with pytest.raises(Exception, match="No such file"):
        ranges(onnx.load(str(graphs / "dynamic.onnx")), graphs, graphs / "tokenizer", rows(2), None, threads=1)
    assert not (graphs / "watched.onnx").exists()


def small(*, bias: str = "vector", mirrored: bool = False, read: str = "", runtime: bool = False) -> onnx.ModelProto:
    """x [n, 3] times weights [3, 2], quantized as Optimum does it; `read` is a step that something else reads too."""
    turned = -1 if mirrored else 1
    nodes = [
        helper.make_node("DynamicQuantizeLinear", ["x"], ["codes", "scale", "zero"], "quantize"),
        helper.make_node("MatMulInteger", ["codes", "w", "zero", "w_zero"], ["product"], "product"),
        helper.make_node("Mul", ["scale", "w_scale"][::turned], ["scales"], "scales"),
        helper.make_node("Cast", ["product"], ["float"], "float", to=TensorProto.FLOAT),
        helper.make_node("Mul", ["float", "scales"][::turned], ["scaled"], "scaled"),
        helper.make_node("Add", ["scaled", bias][::turned], ["sum"], "sum"),
        *([helper.make_node("Cast", [read], ["more"], "more", to=TensorProto.FLOAT)] if read else []),
        helper.make_node("Add", ["sum", "more"] if read else ["sum", "nothing"], ["y"], "y"),
    ]
    constants = {
        "w": np.array([[100, -20], [-7, 127], [50, 3]], dtype=np.int8),
        "w_zero": np.zeros(2, dtype=np.int8),
        "w_scale": np.array([0.01, 0.02], dtype=np.float32),
        "vector": np.array([0.5, -1.0], dtype=np.float32),
        "number": np.array(0.5, dtype=np.float32),
        "table": np.array([[0.5, -1.0], [2.0, 3.0]], dtype=np.float32),
        "nothing": np.zeros(1, dtype=np.float32),
    }
    graph = helper.make_graph(
        nodes,
        "small",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, [2, 3])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, [2, 2])],
        [numpy_helper.from_array(value, name) for name, value in constants.items()],
    )
    opsets = [helper.make_opsetid("", 17), *([helper.make_opsetid("com.microsoft", 1)] if runtime else [])]
    return helper.make_model(graph, opset_imports=opsets, ir_version=8)


def run(model: onnx.ModelProto, x: np.ndarray) -> np.ndarray:
    onnx.checker.check_model(model)
    return np.asarray(InferenceSession(model.SerializeToString()).run(["y"], {"x": x})[0])


X = np.array([[1.0, -2.0, 0.5], [0.0, 3.0, -1.0]], dtype=np.float32)


@pytest.mark.parametrize("bias", ["vector", "number", "table", "scales"])
@pytest.mark.parametrize("read", ["", "product", "float", "scaled"])
def test_other_shapes_of_graphs_stay_right(bias: str, read: str) -> None:
    """What is no vector of constants is no bias; what is read elsewhere keeps its own steps."""
    model = small(bias=bias, read=read)
    fixed = with_scales(model, {"x": (-2.0, 3.0)})
    np.testing.assert_allclose(run(fixed, X), run(model, X), atol=1e-6)
    steps = [node.op_type for node in fixed.graph.node]
    assert ("MatMulIntegerToFloat" in steps) == (read in ("", "scaled"))
    assert steps.count("Add") == (1 if bias == "vector" and not read else 2)


def test_inputs_may_stand_in_either_order_and_the_domain_is_named_once() -> None:
    fixed = with_scales(small(mirrored=True, runtime=True), {"x": (-2.0, 3.0)})
    np.testing.assert_allclose(run(fixed, X), run(small(), X), atol=1e-6)
    assert [node.op_type for node in fixed.graph.node] == ["QuantizeLinear", "MatMulIntegerToFloat", "Add"]
    assert [opset.domain for opset in fixed.opset_import].count("com.microsoft") == 1


@pytest.mark.parametrize("range_", [(-1.0, 2.0), (-0.7, 0.0), (0.0, 5.0), (-3.3, 1.9)])
def test_scales_are_those_of_the_operator(range_: tuple[float, float]) -> None:
    """Of a run that has just that range, static and dynamic scales are the same."""
    x = np.array([[*range_, 0.0], [range_[0], 0.0, range_[1]]], dtype=np.float32)
    np.testing.assert_allclose(run(with_scales(small(), {"x": range_}), x), run(small(), x), atol=1e-6)


def test_what_goes_beyond_the_range_is_taken_for_its_end() -> None:
    fixed = with_scales(small(), {"x": (-1.0, 1.0)})
    np.testing.assert_allclose(run(fixed, 100 * X), run(fixed, np.sign(X)), atol=0.03)  # of one step


def test_an_activation_that_was_always_zero_has_a_scale() -> None:
    fixed = with_scales(small(), {"x": (0.0, 0.0)})
    np.testing.assert_allclose(run(fixed, 0 * X), [[0.5, -1.0], [0.5, -1.0]], atol=1e-6)
