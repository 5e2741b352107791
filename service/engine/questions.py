"""What the windows of a context say together; pure."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from contracts.answer_spans import best_span
from contracts.release import Manifest
from service.engine.encoding import EncodedText
from service.engine.settled import RowOutput, Settled

_NO_ANSWER, _ANSWER = 0, 1  # into the manifest's labels


def settle_answer(encoded: EncodedText, rows: Sequence[RowOutput], manifest: Manifest) -> Settled:
    """One answer of all windows, or none; `logits` of a row are [tokens or more, 2]."""
    span = best_span(encoded.windows, [row.logits for row in rows])
    answered = span.is_answer(manifest.null_threshold or 0.0)
    start, end = (span.start, span.end) if answered else (0, 0)
    context = encoded.text.partition("\n")[2]
    score = span.score(answered=answered, temperature=manifest.temperature)
    return Settled(
        label=manifest.labels[_ANSWER if answered else _NO_ANSWER],
        score=score,
        logits=np.array([span.null, span.best], dtype=np.float32),
        projection=np.mean([row.projection for row in rows], axis=0, dtype=np.float32),
        fields={"answer": context[start:end], "score": round(score, 6), "start": start, "end": end},
    )
