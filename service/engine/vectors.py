"""Vectors as they are answered; pure."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from contracts.release import Manifest
from contracts.vectors import unit
from service.engine.encoding import EncodedText
from service.engine.settled import RowOutput, Settled


def settle_vector(_encoded: EncodedText, rows: Sequence[RowOutput], manifest: Manifest) -> Settled:
    """The text's embedding, of length one. Nothing is predicted: the score is 1, the logits are one 0."""
    (row,) = rows
    return Settled(
        label=manifest.labels[0],
        score=1.0,
        logits=np.zeros(1, dtype=np.float32),
        projection=row.projection,
        fields={"embedding": unit(row.embedding)},
    )
