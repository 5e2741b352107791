"""Dynamic int8 quantization with Optimum's `ORTQuantizer`; `scales` then makes it static."""

from __future__ import annotations

import logging
import platform
from pathlib import Path

import onnx
from optimum.onnxruntime.configuration import AutoQuantizationConfig, QuantizationConfig
from optimum.onnxruntime.quantization import ORTQuantizer
from optimum.utils import logging as optimum_logging
from transformers import PretrainedConfig

from training.learning.precision import this_cpu


def instruction_set(machine: str, cpu_info: str) -> str:
    """The int8 scheme for a machine (`platform.machine()`) whose /proc/cpuinfo reads so.

    Without VNNI, products of unsigned and signed bytes saturate unless weights keep to 7 bits (`avx2`).
    Source: ONNX Runtime documentation, Quantize ONNX models, "When to use reduce-range and per-channel".
    """
    if machine.lower() in ("aarch64", "arm64"):
        return "arm64"
    flags = set(cpu_info.split())
    return "avx512_vnni" if {"avx512_vnni", "avx_vnni"} & flags else "avx2"


def this_machine() -> str:
    """`instruction_set` of the machine that this runs on."""
    return instruction_set(platform.machine(), this_cpu())


def quantize(source: Path, target: Path, config: PretrainedConfig, scheme: str) -> None:
    """int8 weights per channel, activations quantized as they come. `target` is in the source's folder or another.

    Products of two activations (attention) stay in float: they hold no weights, and quantizing both sides anew for each
    text takes longer than it saves.
    """
    settings: QuantizationConfig
    floats = products_of_activations(onnx.load(str(source), load_external_data=False).graph)
    match scheme:
        case "arm64":
            settings = AutoQuantizationConfig.arm64(is_static=False, per_channel=True, nodes_to_exclude=floats)
        case "avx512_vnni":
            settings = AutoQuantizationConfig.avx512_vnni(is_static=False, per_channel=True, nodes_to_exclude=floats)
        case _:
            settings = AutoQuantizationConfig.avx2(
                is_static=False, per_channel=True, reduce_range=True, nodes_to_exclude=floats
            )
    verbosity = optimum_logging.get_verbosity()
    optimum_logging.set_verbosity(logging.ERROR)
    root = logging.getLogger()
    level = root.level
    root.setLevel(logging.ERROR)  # onnxruntime's quantizer advises on the root logger
    try:
        folder = source.parent / "int8"
        ORTQuantizer(source, config=config).quantize(settings, save_dir=folder, file_suffix="int8")
        (folder / f"{source.stem}_int8.onnx").replace(target)
    finally:
        root.setLevel(level)
        optimum_logging.set_verbosity(verbosity)


def products_of_activations(graph: onnx.GraphProto) -> list[str]:
    """Names of the matrix products of which neither side is weights, be it turned round.

    What is made of constants in another way (the waves of rotary positions) is none: too fine for eight bits.
    """
    weights = {initializer.name for initializer in graph.initializer}
    names: list[str] = []
    for node in graph.node:  # in an order in which whatever is read was written before
        if node.op_type == "Transpose" and node.input[0] in weights:
            weights.update(node.output)
        elif node.op_type == "MatMul" and weights.isdisjoint(node.input):
            names.append(node.name)
    return names
