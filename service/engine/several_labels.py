"""Which of several labels count; pure."""

from __future__ import annotations

from collections.abc import Sequence

from contracts.release import Manifest
from contracts.several_labels import choose_labels, label_scores
from service.engine.encoding import EncodedText
from service.engine.settled import RowOutput, Settled


def settle_labels(_encoded: EncodedText, rows: Sequence[RowOutput], manifest: Manifest) -> Settled:
    """The labels that reach their thresholds, in the manifest's order; `logits` of the row are [labels]."""
    (row,) = rows
    told = choose_labels(label_scores(row.logits, manifest.temperature), manifest.labels, manifest.thresholds or ())
    labels = [{"label": label, "score": round(score, 6)} for label, score in told.found]
    return Settled(
        label=told.label,
        score=told.score,
        logits=row.logits,
        projection=row.projection,
        fields={"label": told.label, "score": round(told.score, 6), "labels": labels},
    )
