"""Torch to ONNX with Optimum: one ordinary graph with the outputs that the network has."""

from __future__ import annotations

import logging
import warnings
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import onnx
import torch
from optimum.exporters.onnx.convert import export
from optimum.exporters.tasks import TasksManager
from optimum.utils import logging as optimum_logging

from contracts.errors import TrainingError
from training.artefact.onnx_artefact import Artefact
from training.artefact.simplify import simplify
from training.artefact.unpad import unpad
from training.learning.network import Network
from training.learning.objective import pad_batch

OPSET = 17
TOLERANCE = 1e-3


def export_onnx(model: Network, path: Path) -> None:
    """Write the fp32 graph: int64 inputs [batch, tokens] as the architecture has them, both axes dynamic."""
    constructor = TasksManager.get_exporter_config_constructor(
        "onnx", task="text-classification", model_type=str(model.config.model_type), library_name="transformers"
    )
    standard = constructor(model.config)
    outputs = property(lambda _: {name: dict(axes) for name, axes in model.outputs.items()})
    described = type("NetworkOnnxConfig", (type(standard),), {"outputs": outputs})
    verbosity = optimum_logging.get_verbosity()
    optimum_logging.set_verbosity(logging.ERROR)
    try:
        with warnings.catch_warnings():
            # Tracing warns of every Python branch; that they hold is what `check_agreement` finds out.
            warnings.simplefilter("ignore")
            export(model.eval(), described(model.config, task="text-classification"), path, opset=OPSET)
        onnx.save(unpad(simplify(onnx.load(path))), path)
    finally:
        optimum_logging.set_verbosity(verbosity)


def check_agreement(
    model: Network,
    artefact: Artefact,
    rows: Sequence[Sequence[int]],
    segments: Sequence[Sequence[int]] | None = None,
) -> float:
    """Largest difference of any output between torch and the exported graph, over texts of unequal length.

    What stands in masked places of outputs a token is not compared. Raises TrainingError above 1e-3: then the graph is
    not the model that was trained.
    """
    with torch.inference_mode():
        expected = model.eval()(**pad_batch(rows, segments))
    found = artefact.forward(rows, segments)
    difference = max(
        float(np.abs(got[row, : len(ids)] - wanted[row, : len(ids)]).max())
        if per_token
        else float(np.abs(got[row] - wanted[row]).max())
        for got, wanted, per_token in (
            (found[name], expected[name].numpy(), len(axes) > 1) for name, axes in model.outputs.items()
        )
        for row, ids in enumerate(rows)
    )
    if not difference <= TOLERANCE:
        raise TrainingError(
            f"The exported graph does not agree with torch: expected outputs within {TOLERANCE:g}, found "
            f"{difference:g} apart (architecture {model.config.model_type}). Use another base model and report this."
        )
    return difference
