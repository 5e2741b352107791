"""A graph without padding says of every token what the graph with padding does."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import onnx
import onnxruntime
import pytest
from hypothesis import given
from hypothesis import strategies as st
from onnx import TensorProto, helper, numpy_helper

from training.artefact.graphs import inferred
from training.artefact.simplify import simplify
from training.artefact.unpad import unpad

WIDTH, HEADS = 6, 2
BATCHES = st.lists(st.lists(st.integers(1, 19), min_size=1, max_size=9), min_size=1, max_size=6)


def floats(*shape: int) -> np.ndarray:
    return np.random.default_rng(sum(shape)).normal(size=shape).astype(np.float32)


def model_of(nodes: Sequence[onnx.NodeProto], outputs: dict[str, Sequence[str | int]], **constants: object):
    """Reads `ids` and `attention_mask` [texts, longest]; its first states are `x` [texts, longest, 6]."""
    axes = ["texts", "longest"]
    weights = {
        "table": floats(20, WIDTH),
        "weight": floats(WIDTH, WIDTH),
        "bias": floats(WIDTH),
        "scale": floats(WIDTH) + 2,
        "parts": np.array([0, 0, HEADS, WIDTH // HEADS], dtype=np.int64),
        "whole": np.array([0, 0, WIDTH], dtype=np.int64),
        "last": np.array([2], dtype=np.int64),
        "second": np.array([1], dtype=np.int64),
        **constants,
    }
    graph = helper.make_graph(
        [helper.make_node("Gather", ["table", "ids"], ["x"]), *nodes],
        "states",
        [helper.make_tensor_value_info(name, TensorProto.INT64, axes) for name in ("ids", "attention_mask")],
        [helper.make_tensor_value_info(name, TensorProto.FLOAT, list(shape)) for name, shape in outputs.items()],
        [numpy_helper.from_array(np.asarray(value), name) for name, value in weights.items()],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    onnx.checker.check_model(model)
    return simplify(model)


def feed_of(texts: list[list[int]], *, end: bool = False) -> dict[str, np.ndarray]:
    """Padding stands behind the texts, or before them."""
    longest = max(map(len, texts))
    padding = [[0] * (longest - len(text)) for text in texts]
    ids = np.array([left + text if end else text + left for text, left in zip(texts, padding, strict=True)], np.int64)
    return {"ids": ids, "attention_mask": (ids > 0).astype(np.int64)}


def session_of(model: onnx.ModelProto) -> onnxruntime.InferenceSession:
    onnx.checker.check_model(model)
    return onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])


def node(operator: str, inputs: str, output: str, **attributes: object) -> onnx.NodeProto:
    return helper.make_node(operator, inputs.split(), [output], name=output, **attributes)


def attention() -> list[onnx.NodeProto]:
    """One layer: heads, a mask, a sum with what it read, and a normalization."""
    made = [
        node("MatMul", "x weight", "product"),
        node("Add", "product bias", "projected"),
        node("Reshape", "projected parts", "parted"),
        node("Transpose", "parted", "queries", perm=[0, 2, 1, 3]),
        node("Transpose", "parted", "keys", perm=[0, 2, 3, 1]),
        node("MatMul", "queries keys", "scores"),
        node("Cast", "attention_mask", "real", to=TensorProto.FLOAT),
        node("Unsqueeze", "real axes", "real_places"),
        node("Mul", "real_places far", "offset"),
        node("Add", "scores offset", "masked"),
        node("Softmax", "masked", "shares", axis=-1),
        node("MatMul", "shares queries", "mixed"),
        node("Transpose", "mixed", "together", perm=[0, 2, 1, 3]),
        node("Reshape", "together whole", "read"),
        node("MatMul", "read weight", "written"),
        node("Add", "written product", "summed"),
        node("LayerNormalization", "summed scale bias", "states", axis=2),
    ]
    return made


def pooled() -> list[onnx.NodeProto]:
    """The sum over real tokens."""
    return [
        node("Unsqueeze", "real last", "real_states"),
        node("Mul", "states real_states", "counted"),
        node("ReduceSum", "counted second", "pooled", keepdims=0),
    ]


# As far above the places of padding as a mask of -1000 would put those below.
MASKING = {"axes": np.array([1, 2]), "far": np.float32(1000)}


@pytest.fixture(scope="module")
def sessions() -> tuple[onnxruntime.InferenceSession, onnxruntime.InferenceSession]:
    outputs = {"pooled": ["texts", WIDTH], "states": ["texts", "longest", WIDTH]}
    model = model_of([*attention(), *pooled()], outputs, **MASKING)
    return session_of(model), session_of(unpad(model))


@given(texts=BATCHES, end=st.booleans())
def test_attention_and_pooling_say_what_they_said(sessions, texts: list[list[int]], end: bool) -> None:
    feed = feed_of(texts, end=end)
    (expected, states), (found, found_states) = (session.run(["pooled", "states"], feed) for session in sessions)
    np.testing.assert_allclose(found, expected, atol=1e-4)
    real = feed["attention_mask"] == 1
    np.testing.assert_allclose(found_states[real], states[real], atol=1e-4)


def test_heads_are_parted_and_put_together_without_turning_states() -> None:
    model = model_of([*attention(), *pooled()], {"pooled": ["texts", WIDTH]}, **MASKING)
    found = unpad(model)
    assert [list(one.attribute[0].ints) for one in found.graph.node if one.op_type == "Transpose"] == [[0, 1, 3, 2]]
    shapes = inferred(found)
    products = [one for one in found.graph.node if one.op_type == "MatMul" and one.input[1] == "weight"]
    assert [len(shapes[one.input[0]]) for one in products] == [2, 2]


def test_what_the_mask_makes_nothing_is_nothing_where_it_is_summed() -> None:
    nodes = [
        node("MatMul", "x weight", "states"),
        node("Cast", "attention_mask", "real", to=TensorProto.FLOAT),
        node("Unsqueeze", "real last", "real_states"),
        node("Mul", "states real_states", "kept"),
        node("Mul", "kept scale", "scaled"),
        node("ReduceSum", "scaled second", "summed", keepdims=0),
    ]
    model = model_of(nodes, {"summed": ["texts", WIDTH]})
    feed = feed_of([[3], [4, 5, 6, 7]])
    np.testing.assert_allclose(session_of(unpad(model)).run(None, feed)[0], session_of(model).run(None, feed)[0], 1e-5)


@pytest.mark.parametrize("axis", [1, 2])
def test_only_what_concerns_each_token_alone_is_worked_out_alone(axis: int) -> None:
    """A normalization over the tokens of a text reads across them."""
    nodes = [node("MatMul", "x weight", "states"), node("LayerNormalization", "states ones", "y", axis=axis)]
    ones = np.ones((1, WIDTH) if axis == 1 else WIDTH, dtype=np.float32)
    model = model_of(nodes, {"y": ["texts", "longest", WIDTH]}, ones=ones)
    feed = feed_of([[3, 4, 5], [6, 7, 8]])
    np.testing.assert_allclose(session_of(unpad(model)).run(None, feed)[0], session_of(model).run(None, feed)[0], 1e-4)


def test_parts_of_states_are_parted_token_by_token() -> None:
    nodes = [
        node("MatMul", "x weight", "states"),
        helper.make_node("Split", ["states", "halves"], ["left", "right"], axis=2),
        node("Sigmoid", "left", "gate"),
        node("Mul", "gate right", "y"),
    ]
    model = model_of(nodes, {"y": ["texts", "longest", 3]}, halves=np.array([3, 3]))
    found = unpad(model)
    assert [len(inferred(found)[name]) for name in ("unpadded/tokens of left", "unpadded/tokens of right")] == [2, 2]
    feed = feed_of([[3, 4, 5], [6]])
    expected, said = session_of(model).run(None, feed)[0], session_of(found).run(None, feed)[0]
    np.testing.assert_allclose(said[0], expected[0], 1e-5)
    np.testing.assert_allclose(said[1, :1], expected[1, :1], 1e-5)


def test_a_graph_without_a_mask_stays_as_it_was() -> None:
    graph = helper.make_graph(
        [node("MatMul", "x weight", "y")],
        "no mask",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["texts", "longest", WIDTH])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, ["texts", "longest", WIDTH])],
        [numpy_helper.from_array(floats(WIDTH, WIDTH), "weight")],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    assert unpad(model) == model


def test_a_graph_with_a_mask_of_another_type_stays_as_it_was() -> None:
    model = model_of([node("MatMul", "x weight", "y")], {"y": ["texts", "longest", WIDTH]})
    for value in model.graph.input:
        value.type.tensor_type.elem_type = TensorProto.INT32
    assert unpad(model) == model
