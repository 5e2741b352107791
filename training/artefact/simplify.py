"""The same graph with fewer nodes: what is known before a text comes is written down, and nothing has two names.

Exporters trace how torch code asks for sizes, so that every layer finds out anew how many heads it has and how long the
texts are: dozens of nodes whose work is nothing, and which each cost some microseconds to start. Weights that layers
share they give a name a layer, through which the quantizer does not look.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import numpy.typing as npt
import onnx
from onnx import numpy_helper

from training.artefact.graphs import Shapes, Size, drop_unread, inferred

_Integers = npt.NDArray[np.int64]


def simplify(model: onnx.ModelProto) -> onnx.ModelProto:
    """A model that computes the same, with constants in the place of what follows from the sizes that are fixed.

    Where sizes cannot be inferred, they stay as they were.
    """
    found = onnx.ModelProto()
    found.CopyFrom(model)
    _drop_names(found.graph)
    shapes = inferred(found)
    _write_reshapes(found.graph, shapes)
    _write_sizes(found.graph, shapes)
    drop_unread(found.graph)
    return found


def _drop_names(graph: onnx.GraphProto) -> None:
    """Constants are read by their first name."""
    first: dict[str, str] = {}
    constants = {one.name for one in graph.initializer}
    for node in graph.node:
        for place, name in enumerate(node.input):
            node.input[place] = first.get(name, name)
        if node.op_type == "Identity" and node.input[0] in constants:
            first[node.output[0]] = node.input[0]


def _write_reshapes(graph: onnx.GraphProto, shapes: Shapes) -> None:
    for node in graph.node:
        if node.op_type != "Reshape" or node.input[0] not in shapes or node.output[0] not in shapes:
            continue
        target = _target(shapes[node.input[0]], shapes[node.output[0]])
        if target is not None:
            del node.attribute[:]  # "allowzero", which would make a 0 mean nothing else
            node.input[1] = f"{node.output[0]}_shape"
            graph.initializer.append(numpy_helper.from_array(np.array(target, dtype=np.int64), node.input[1]))


def _target(before: Sequence[Size], after: Sequence[Size]) -> list[int] | None:
    """What to tell a Reshape: 0 for an axis that is as before, -1 for the one that takes the rest; None for several."""
    if 0 in after:
        return None
    sizes = [
        size if isinstance(size, int) else 0 if size and before[at : at + 1] == [size] else -1
        for at, size in enumerate(after)
    ]
    return sizes if sizes.count(-1) <= 1 else None


def _write_sizes(graph: onnx.GraphProto, shapes: Shapes) -> None:
    """What is picked out of the shape of a value, where that much of it is known."""
    constants = _constants(graph)
    whole = {
        node.output[0]: shapes[node.input[0]]
        for node in graph.node
        if node.op_type == "Shape" and not node.attribute and node.input[0] in shapes
    }
    kept: list[onnx.NodeProto] = []
    for node in graph.node:
        picked = _picked(node, whole[node.input[0]], constants) if node.input and node.input[0] in whole else None
        if picked is None:
            kept.append(node)
        else:
            graph.initializer.append(numpy_helper.from_array(picked, node.output[0]))
    del graph.node[:]
    graph.node.extend(kept)


def _constants(graph: onnx.GraphProto) -> dict[str, _Integers]:
    """Whole numbers that stand in the graph."""
    written = {one.name: one for one in graph.initializer}
    for node in graph.node:
        if node.op_type == "Constant" and node.attribute[0].name == "value":
            written[node.output[0]] = node.attribute[0].t
    return {
        name: numpy_helper.to_array(one) for name, one in written.items() if one.data_type == onnx.TensorProto.INT64
    }


def _picked(node: onnx.NodeProto, sizes: Sequence[Size], constants: Mapping[str, _Integers]) -> _Integers | None:
    """What a Gather or Slice takes of a shape; None where that cannot be told yet."""
    if node.op_type not in ("Gather", "Slice") or not all(name in constants for name in node.input[1:]):
        return None
    arguments = [constants[name] for name in node.input[1:]]
    places = np.arange(len(sizes))
    if node.op_type == "Gather":
        places = places[arguments[0]]
    else:
        start, end = arguments[0].item(), arguments[1].item()  # the only axis is the third
        places = places[start : end : arguments[3].item() if len(arguments) > 3 else 1]
    chosen = [sizes[place] for place in places.ravel().tolist()]
    known = [size for size in chosen if isinstance(size, int)]
    return np.array(known, dtype=np.int64).reshape(places.shape) if len(known) == len(chosen) else None
