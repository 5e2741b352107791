"""How the deployed artefact behaves on held-out texts: what the monitor will compare production with."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from contracts.reference import Floats, Integers, Reference
from training.artefact.onnx_artefact import Outputs
from training.evaluation.calibration import softmax

MAX_ROWS = 3000
MAX_DIMENSIONS = 16


@dataclass(frozen=True)
class Projection:
    """Principal components: a projection is (embedding - mean) @ components."""

    mean: Floats  # [hidden]
    components: Floats  # [hidden, k], orthonormal columns, most variance first


def fit_projection(embeddings: Floats) -> Projection:
    """Principal components of [n, hidden] embeddings, min(16, hidden, n) of them.

    Signs are fixed (the largest entry of a component is positive), so that the same rows give the same file.
    """
    mean = embeddings.mean(axis=0)
    _, _, rows = np.linalg.svd((embeddings - mean).astype(np.float64), full_matrices=False)
    kept = rows[: min(MAX_DIMENSIONS, *embeddings.shape)]
    largest = np.abs(kept).argmax(axis=1)
    signs = np.sign(kept[np.arange(len(kept)), largest])
    return Projection(mean=mean.astype(np.float32), components=(kept * signs[:, None]).T.astype(np.float32))


def build_reference(outputs: Outputs, truth: Integers, temperature: float, projection: Projection) -> Reference:
    """The reference over n held-out texts; a label index in `truth` may be -1 for one that the model does not know."""
    probabilities = softmax(outputs.logits, temperature)
    predicted = probabilities.argmax(axis=1).astype(np.int64)
    projected = (outputs.embeddings - projection.mean) @ projection.components
    return Reference(
        predicted=predicted,
        correct=predicted == truth,
        scores=probabilities.max(axis=1),
        lengths=outputs.tokenized.lengths,
        unknown_shares=outputs.tokenized.unknown_shares,
        fragmentation=outputs.tokenized.fragmentation,
        projections=projected.astype(np.float32),
        projection_mean=projection.mean,
        projection_components=projection.components,
    )
