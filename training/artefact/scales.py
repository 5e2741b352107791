"""Each activation's scale, found once on texts and written down, in the place of one that is found anew in every run.

Dynamic quantization takes the range of an activation over all texts of a run, so that what is said of a text depends on
those beside it. With scales that are written down each text is quantized by itself: its answer is the same alone and in
any company, and it is the one that the gate was held against. The range is that of one very large run: hardly wider
than that of a small one, since the largest activations are those of a few dimensions and of nearly every text.
Source: Jacob and others, Quantization and Training of Neural Networks for Efficient Integer-Arithmetic-Only Inference
(2018), section 3.1; Bondarenko and others, Understanding and Overcoming the Challenges of Efficient Transformer
Quantization (2021), section 3.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import onnx
from onnx import helper, numpy_helper

from contracts.errors import TrainingError
from training.artefact.graphs import drop_unread
from training.artefact.onnx_artefact import Artefact

_STEPS = 255  # between the lowest and the highest of eight bits
_WITH_ZERO_POINTS = 4  # inputs of a MatMulInteger that has both
_RUNTIME = "com.microsoft"  # the domain of onnxruntime's own operators

Range = tuple[float, float]  # the lowest and the highest of an activation; 0 is among them


def fix_scales(
    path: Path,
    tokenizer: Path,
    rows: Sequence[Sequence[int]],
    segments: Sequence[Sequence[int]] | None = None,
    *,
    threads: int,
) -> None:
    """Rewrite a dynamically quantized graph; `rows` are the token ids of texts such as it will read, at least one."""
    model = onnx.load(str(path))
    onnx.save(with_scales(model, ranges(model, path.parent, tokenizer, rows, segments, threads=threads)), str(path))


def ranges(
    model: onnx.ModelProto,
    folder: Path,
    tokenizer: Path,
    rows: Sequence[Sequence[int]],
    segments: Sequence[Sequence[int]] | None,
    *,
    threads: int,
) -> dict[str, Range]:
    """Of every activation that is quantized, by its name, over all rows. A file in `folder` comes and goes.

    Each row is run alone, so that padding has no part in it. Raises TrainingError where an activation is not finite.
    """
    watched = onnx.ModelProto()
    watched.CopyFrom(model)
    found = {node.input[0]: node.output[1:3] for node in watched.graph.node if node.op_type == "DynamicQuantizeLinear"}
    for scale, zero_point in found.values():
        watched.graph.output.append(helper.make_tensor_value_info(scale, onnx.TensorProto.FLOAT, []))
        watched.graph.output.append(helper.make_tensor_value_info(zero_point, onnx.TensorProto.UINT8, []))
    file = folder / "watched.onnx"
    try:
        onnx.save(watched, str(file))
        artefact = Artefact(file, tokenizer, max(map(len, rows)), threads=threads)
    finally:
        file.unlink(missing_ok=True)
    lowest, highest = dict.fromkeys(found, 0.0), dict.fromkeys(found, 0.0)
    for number, ids in enumerate(rows):
        outputs = artefact.forward([ids], None if segments is None else [segments[number]])
        for name, (scale, zero_point) in found.items():
            step, zero = float(outputs[scale]), int(outputs[zero_point])
            if not math.isfinite(step):
                raise TrainingError(
                    f"The activation {name} is not finite for validation text {number + 1}: expected numbers, found "
                    "an overflow in the trained network. Train with a lower learning_rate, or on another base model."
                )
            lowest[name] = min(lowest[name], -zero * step)
            highest[name] = max(highest[name], (_STEPS - zero) * step)
    return {name: (lowest[name], highest[name]) for name in found}


def with_scales(model: onnx.ModelProto, ranges: Mapping[str, Range]) -> onnx.ModelProto:
    """The same graph with the scales of these ranges; what goes beyond them is taken for their ends.

    A product, its scaling and its bias become onnxruntime's own `MatMulIntegerToFloat`. It makes that of the standard
    operators by itself, but no longer where both scales are known.
    """
    found = onnx.ModelProto()
    found.CopyFrom(model)
    graph = found.graph
    nodes: dict[str, onnx.NodeProto | None] = {node.output[0]: node for node in graph.node}  # None: no longer needed
    for product in _products(graph):
        nodes.update(dict.fromkeys(product.steps))
        nodes[product.output] = product.node()
    for node in graph.node:
        if node.op_type == "DynamicQuantizeLinear":
            codes, scale, zero_point = node.output
            graph.initializer.extend(_constants(ranges[node.input[0]], scale, zero_point))
            nodes[codes] = helper.make_node("QuantizeLinear", [node.input[0], scale, zero_point], [codes], node.name)
    kept = [node for node in nodes.values() if node is not None]
    del graph.node[:]
    graph.node.extend(kept)
    drop_unread(graph)
    if all(opset.domain != _RUNTIME for opset in found.opset_import):
        found.opset_import.append(helper.make_opsetid(_RUNTIME, 1))
    return found


def _constants(range_: Range, scale: str, zero_point: str) -> list[onnx.TensorProto]:
    """Scale and zero point as DynamicQuantizeLinear works them out.

    Source: ONNX, Operators, DynamicQuantizeLinear.
    """
    low, high = range_
    step = (high - low) / _STEPS or 1.0  # of an activation that is always 0, any
    zero = min(max(round(-low / step), 0), _STEPS)
    return [
        numpy_helper.from_array(np.array(step, dtype=np.float32), scale),
        numpy_helper.from_array(np.array(zero, dtype=np.uint8), zero_point),
    ]


@dataclass(frozen=True)
class _Product:
    """codes of an activation x codes of weights, made float, times both scales, and mostly plus a bias."""

    name: str
    codes: Sequence[str]  # of the activation, of the weights, and the zero points of both
    scales: tuple[str, str]  # of the activation, of the weights
    bias: tuple[str, ...]  # one name, or none
    steps: tuple[str, ...]  # the values on the way, which nothing else reads
    output: str

    def node(self) -> onnx.NodeProto:
        """All of it in one."""
        activation, weights, *zero_points = self.codes
        inputs = [activation, weights, *self.scales, *zero_points, *self.bias]
        return helper.make_node("MatMulIntegerToFloat", inputs, [self.output], self.name, domain=_RUNTIME)


def _products(graph: onnx.GraphProto) -> Iterator[_Product]:
    """Those that onnxruntime can do in one; others stay as they are."""
    readers: dict[str, list[onnx.NodeProto]] = defaultdict(list)
    for node in graph.node:
        for name in node.input:
            readers[name].append(node)
    for output in graph.output:
        readers[output.name] = []  # is kept as it is
    writers = {name: node for node in graph.node for name in node.output}
    sizes = {one.name: list(one.dims) for one in graph.initializer}

    def only(name: str, operator: str) -> onnx.NodeProto | None:
        found = readers[name]
        return found[0] if len(found) == 1 and found[0].op_type == operator else None

    for node in graph.node:
        quantized = writers.get(node.input[0]) if node.op_type == "MatMulInteger" else None
        if quantized is None or quantized.op_type != "DynamicQuantizeLinear" or len(node.input) < _WITH_ZERO_POINTS:
            continue
        cast = only(node.output[0], "Cast")
        scaled = cast and only(cast.output[0], "Mul")
        if cast is None or scaled is None:
            continue
        scales = writers.get(_other(scaled, cast.output[0]))
        if scales is None or scales.op_type != "Mul" or quantized.output[1] not in scales.input:
            continue
        weights_scale = _other(scales, quantized.output[1])
        steps = [node.output[0], cast.output[0]]
        added = only(scaled.output[0], "Add")
        bias = _other(added, scaled.output[0]) if added is not None else ""
        width = sizes.get(node.input[1], [])[-1:]
        if added is not None and width and sizes.get(bias) == width:
            steps.append(scaled.output[0])
        else:
            added, bias = scaled, ""
        yield _Product(
            node.name,
            node.input,
            (quantized.output[1], weights_scale),
            (bias,) if bias else (),
            tuple(steps),
            added.output[0],
        )


def _other(node: onnx.NodeProto, name: str) -> str:
    """The other one of two inputs."""
    first, second = node.input
    return str(second if first == name else first)
