"""Torch to ONNX with Optimum: one ordinary graph with the outputs `logits` and `embedding`."""

from __future__ import annotations

import logging
import warnings
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from optimum.exporters.onnx.convert import export
from optimum.exporters.tasks import TasksManager
from optimum.utils import logging as optimum_logging

from contracts.errors import TrainingError
from training.artefact.onnx_artefact import Artefact
from training.learning.classifier import TextClassifier, pad_batch

OPSET = 17
TOLERANCE = 1e-3
_BATCH_AXIS = {0: "batch_size"}


def export_onnx(model: TextClassifier, path: Path) -> None:
    """Write the fp32 graph: int64 inputs [batch, tokens] as the architecture has them, both axes dynamic."""
    constructor = TasksManager.get_exporter_config_constructor(
        "onnx", task="text-classification", model_type=str(model.config.model_type), library_name="transformers"
    )
    standard = constructor(model.config)
    outputs = property(lambda _: {"logits": _BATCH_AXIS, "embedding": _BATCH_AXIS})
    described = type("EmbeddingOnnxConfig", (type(standard),), {"outputs": outputs})
    verbosity = optimum_logging.get_verbosity()
    optimum_logging.set_verbosity(logging.ERROR)
    try:
        with warnings.catch_warnings():
            # Tracing warns of every Python branch; that they hold is what `check_agreement` finds out.
            warnings.simplefilter("ignore")
            export(model.eval(), described(model.config, task="text-classification"), path, opset=OPSET)
    finally:
        optimum_logging.set_verbosity(verbosity)


def check_agreement(model: TextClassifier, artefact: Artefact, rows: Sequence[Sequence[int]]) -> float:
    """Largest difference of any logit between torch and the exported graph, over texts of unequal length.

    Raises TrainingError above 1e-3: then the graph is not the model that was trained.
    """
    with torch.inference_mode():
        expected = model.eval()(**pad_batch(rows))
    found = artefact.forward(rows)
    difference = max(
        float(np.abs(got - expected[name].numpy()).max())
        for name, got in zip(("logits", "embedding"), found, strict=True)
    )
    if not difference <= TOLERANCE:
        raise TrainingError(
            f"The exported graph does not agree with torch: expected logits within {TOLERANCE:g}, found "
            f"{difference:g} apart (architecture {model.config.model_type}). Use another base model and report this."
        )
    return difference
