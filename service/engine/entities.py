"""What the tags on a text's words say together; pure."""

from __future__ import annotations

from collections.abc import Sequence

from contracts.entities import read_entities
from contracts.release import Manifest
from service.engine.encoding import EncodedText
from service.engine.settled import RowOutput, Settled


def settle_entities(encoded: EncodedText, rows: Sequence[RowOutput], manifest: Manifest) -> Settled:
    """Entities with their characters in the text as it came; `logits` of the row are [tokens or more, tags]."""
    (row,) = rows
    told = read_entities(row.logits, encoded.words, manifest.labels, manifest.temperature)
    entities = [
        {
            "text": encoded.text[one.start : one.end],
            "label": one.label,
            "score": round(one.score, 6),
            "start": one.start,
            "end": one.end,
        }
        for one in told.found
    ]
    return Settled(
        label=told.label,
        score=told.score,
        logits=row.logits[: len(encoded.ids)].mean(axis=0),
        projection=row.projection,
        fields={"entities": entities},
    )
