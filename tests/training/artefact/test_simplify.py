"""A simplified graph computes what it did, with fewer nodes."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

import numpy as np
import onnx
import onnxruntime
import pytest
from hypothesis import given
from hypothesis import strategies as st
from onnx import TensorProto, helper, numpy_helper

from contracts.onnx_sessions import SLOW_FUSIONS
from training.artefact.simplify import simplify


def integers(name: str, *values: int) -> onnx.TensorProto:
    return numpy_helper.from_array(np.array(values, dtype=np.int64), name)


def graph_of(
    nodes: Sequence[onnx.NodeProto], constants: Sequence[onnx.TensorProto], axes: Sequence[str | int]
) -> onnx.ModelProto:
    graph = helper.make_graph(
        list(nodes),
        "sizes",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["batch", "tokens", 6])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, list(axes))],
        list(constants),
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    onnx.checker.check_model(model)
    return model


def as_torch_asks(*shape: str) -> onnx.ModelProto:
    """`x.reshape(shape)` where "batch" and "tokens" are asked of x, and the rest are numbers."""
    nodes = [helper.make_node("Shape", ["x"], ["sizes"])]
    asked = [size for size in ("batch", "tokens") if size in shape]
    constants = [integers(f"place of {size}", int(size == "tokens")) for size in asked]
    parts: list[str] = []
    for at, size in enumerate(shape):
        if size in ("batch", "tokens"):
            nodes.append(helper.make_node("Gather", ["sizes", f"place of {size}"], [f"part {at}"]))
        else:
            constants.append(integers(f"part {at}", int(size)))
        parts.append(f"part {at}")
    nodes.append(helper.make_node("Concat", parts, ["shape"], axis=0))
    nodes.append(helper.make_node("Reshape", ["x", "shape"], ["y"], allowzero=1))
    return graph_of(nodes, constants, [f"axis{at}" for at in range(len(shape))])


def run(model: onnx.ModelProto, x: np.ndarray) -> np.ndarray:
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    session = onnxruntime.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])
    (found,) = session.run(None, {"x": x})
    return found


def operators(model: onnx.ModelProto) -> Counter[str]:
    return Counter(node.op_type for node in model.graph.node)


@pytest.mark.parametrize(
    ("shape", "target"),
    [
        (("batch", "-1", "2", "3"), [0, 0, 2, 3]),  # heads are parted
        (("batch", "tokens", "2", "3"), [0, 0, 2, 3]),
        (("batch", "tokens", "6"), [0, 0, 6]),
        (("-1", "6"), [-1, 6]),
        (("batch", "-1"), [0, -1]),
        (("tokens", "batch", "6"), None),  # two axes that are not what stood in their places
    ],
)
@given(batch=st.integers(1, 5), tokens=st.integers(1, 7))
def test_a_reshape_is_told_its_shape(shape: tuple[str, ...], target: list[int] | None, batch: int, tokens: int) -> None:
    before = as_torch_asks(*shape)
    after = simplify(before)
    x = np.arange(batch * tokens * 6, dtype=np.float32).reshape(batch, tokens, 6)
    np.testing.assert_array_equal(run(after, x), run(before, x))
    if target is None:
        assert operators(after) == operators(before)
    else:
        assert operators(after) == {"Reshape": 1}
        (written,) = after.graph.initializer
        assert numpy_helper.to_array(written).tolist() == target


def of_a_size(node: onnx.NodeProto, *constants: onnx.TensorProto) -> onnx.ModelProto:
    """x times a size that `node` picks out of x's sizes."""
    nodes = [
        helper.make_node("Shape", ["x"], ["sizes"]),
        node,
        helper.make_node("Cast", ["size"], ["scale"], to=TensorProto.FLOAT),
        helper.make_node("Mul", ["x", "scale"], ["y"]),
    ]
    return graph_of(nodes, constants, ["batch", "tokens", 6])


def gathered(place: int) -> onnx.ModelProto:
    return of_a_size(helper.make_node("Gather", ["sizes", "place"], ["size"]), integers("place", place))


def sliced(*arguments: int) -> onnx.ModelProto:
    """By start, end, axis and step."""
    names = [f"argument {at}" for at in range(len(arguments))]
    node = helper.make_node("Slice", ["sizes", *names], ["size"])
    return of_a_size(node, *map(integers, names, arguments))


@pytest.mark.parametrize(
    ("model", "known"),
    [
        (gathered(2), True),
        (gathered(-1), True),
        (gathered(0), False),
        (sliced(-1, 9), True),
        (sliced(2, 0, 0, -2), True),
        (sliced(1, 2), False),
    ],
)
def test_a_size_that_is_fixed_is_written_down(model: onnx.ModelProto, known: bool) -> None:
    after = simplify(model)
    x = np.arange(2 * 4 * 6, dtype=np.float32).reshape(2, 4, 6)
    np.testing.assert_array_equal(run(after, x), run(model, x))
    assert ("Shape" not in operators(after)) == known


def test_what_a_graph_inside_a_node_reads_stays() -> None:
    inner = helper.make_graph(
        [helper.make_node("Mul", ["x", "outside"], ["inside"])],
        "inner",
        [],
        [helper.make_tensor_value_info("inside", TensorProto.FLOAT, ["batch", "tokens", 6])],
    )
    nodes = [
        helper.make_node("Neg", ["x"], ["outside"]),
        helper.make_node("Neg", ["x"], ["unread"]),
        helper.make_node("If", ["yes"], ["y"], then_branch=inner, else_branch=inner),
    ]
    yes = numpy_helper.from_array(np.array(True), "yes")
    model = graph_of(nodes, [yes, integers("nobody's", 1)], ["batch", "tokens", 6])
    after = simplify(model)
    assert operators(after) == {"Neg": 1, "If": 1}
    assert [one.name for one in after.graph.initializer] == ["yes"]
    x = np.ones((1, 2, 6), dtype=np.float32)
    np.testing.assert_array_equal(run(after, x), run(model, x))


def test_a_constant_has_one_name() -> None:
    nodes = [
        helper.make_node("Identity", ["three"], ["also three"]),
        helper.make_node("Identity", ["also three"], ["three again"]),
        helper.make_node("Mul", ["x", "also three"], ["z"]),
        helper.make_node("Mul", ["z", "three again"], ["y"]),
    ]
    model = graph_of(nodes, [numpy_helper.from_array(np.float32(3), "three")], ["batch", "tokens", 6])
    after = simplify(model)
    assert operators(after) == {"Mul": 2}
    assert {node.input[1] for node in after.graph.node} == {"three"}
    x = np.ones((1, 2, 6), dtype=np.float32)
    np.testing.assert_array_equal(run(after, x), 9 * x)


def test_a_constant_that_is_an_answer_keeps_its_name() -> None:
    constant = numpy_helper.from_array(np.ones((1, 1, 6), dtype=np.float32), "constant")
    model = graph_of([helper.make_node("Identity", ["constant"], ["y"])], [constant], [1, 1, 6])
    x = np.zeros((1, 1, 6), dtype=np.float32)
    np.testing.assert_array_equal(run(simplify(model), x), run(model, x))


def test_a_graph_whose_sizes_cannot_be_inferred_stays_as_it_is(tmp_path, monkeypatch) -> None:
    monkeypatch.chdir(tmp_path)
    nodes = [helper.make_node("Stranger", ["x"], ["z"], domain="elsewhere"), helper.make_node("Neg", ["z"], ["y"])]
    graph = helper.make_graph(
        nodes,
        "strange",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["batch"])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, None)],
    )
    opsets = [helper.make_opsetid("", 17), helper.make_opsetid("elsewhere", 1)]
    model = helper.make_model(graph, opset_imports=opsets, ir_version=8)
    assert simplify(model) == model
    assert not list(tmp_path.iterdir()), "onnxruntime would leave the model there"


def test_onnxruntime_knows_the_slow_fusion_by_its_name(tmp_path) -> None:
    nodes = [
        helper.make_node("Add", ["x", "x"], ["sum"]),
        helper.make_node("LayerNormalization", ["sum", "scale", "bias"], ["y"], axis=-1),
    ]
    weights = [numpy_helper.from_array(np.ones(6, dtype=np.float32), name) for name in ("scale", "bias")]
    model = graph_of(nodes, weights, ["batch", "tokens", 6]).SerializeToString()

    def fused(disabled: list[str]) -> bool:
        options = onnxruntime.SessionOptions()
        options.optimized_model_filepath = str(tmp_path / "optimized.onnx")
        options.log_severity_level = 3
        onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"], disabled_optimizers=disabled)
        return "SkipLayerNormalization" in operators(onnx.load(tmp_path / "optimized.onnx"))

    assert fused([])
    assert not fused(SLOW_FUSIONS)
