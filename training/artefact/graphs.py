"""Reading and tidying ONNX graphs."""

from __future__ import annotations

import logging
from collections.abc import Iterator

import onnx
from onnxruntime.tools.symbolic_shape_infer import SymbolicShapeInference

logger = logging.getLogger(__name__)

Size = int | str  # known, or the name of an axis whose size is not
Shapes = dict[str, list[Size]]  # of values, by name

_UNBOUNDED = 2**31 - 1  # as onnxruntime's own default: a size as large as this has no bound


def inferred(model: onnx.ModelProto) -> Shapes:
    """The shapes of values, as far as they can be told; none where an operator or a shape is new to onnxruntime."""
    try:
        return _inferred(model)
    except Exception:
        # Any, and bare ones.
        logger.debug("The sizes in the graph cannot be inferred.", exc_info=True)
        return {}


def _inferred(model: onnx.ModelProto) -> Shapes:
    """Step by step, since all at once it leaves the model in a file where it does not finish."""
    inference = SymbolicShapeInference(_UNBOUNDED, auto_merge=True, guess_output_rank=False, verbose=0)
    inference._preprocess(model)
    while inference.run_:
        inference._infer_impl()
    inference._update_output_from_vi()
    graph = inference.out_mp_.graph
    return {
        value.name: [
            axis.dim_value if axis.HasField("dim_value") else axis.dim_param
            for axis in value.type.tensor_type.shape.dim
        ]
        for value in (*graph.input, *graph.value_info, *graph.output)
        if value.type.tensor_type.HasField("shape")
    }


def drop_unread(graph: onnx.GraphProto) -> None:
    """Nodes whose outputs nothing reads, and constants."""
    read = {value.name for value in graph.output}
    kept: list[onnx.NodeProto] = []
    for node in reversed(graph.node):
        if not read.isdisjoint(node.output):
            read.update(read_by(node))
            kept.append(node)
    del graph.node[:]
    graph.node.extend(reversed(kept))
    constants = [one for one in graph.initializer if one.name in read]
    del graph.initializer[:]
    graph.initializer.extend(constants)


def read_by(node: onnx.NodeProto) -> Iterator[str]:
    """The values that a node reads, also by the graphs inside it."""
    yield from node.input
    for attribute in node.attribute:
        for graph in (attribute.g, *attribute.graphs):
            yield from (value.name for value in graph.output)
            for inner in graph.node:
                yield from read_by(inner)
