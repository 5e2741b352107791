"""Vectors of texts as they are answered: of length one, so that their products are cosines."""

from __future__ import annotations

import numpy as np

from contracts.reference import Floats


def unit(embeddings: Floats) -> Floats:
    """[n, hidden] with each row divided by its length; a row of zeros stays."""
    lengths = np.linalg.norm(embeddings.astype(np.float64), axis=-1, keepdims=True)
    scaled: Floats = (embeddings / np.where(lengths > 0, lengths, 1.0)).astype(np.float32)
    return scaled
