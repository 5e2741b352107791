"""How fast an artefact answers, on one core."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from training.artefact.onnx_artefact import Artefact

_WARM_UP = 10

# Token ids of the rows that answer some texts, and their token type ids where they have any of their own.
Runs = tuple[Sequence[Sequence[int]], Sequence[Sequence[int]] | None]


@dataclass(frozen=True)
class Speed:
    """Measured on the machine that trained, tokenization included."""

    latency_p50_ms: float  # of one text at a time
    texts_per_second: float  # in batches of 32 of similar length


def measure_speed(
    artefact: Artefact,
    texts: Sequence[str],
    read: Callable[[Sequence[str]], Runs],
    *,
    single: int = 200,
    clock: Callable[[], float] = time.perf_counter,
) -> Speed:
    """Time the first `single` texts one by one, then all in batches; the artefact is to be loaded with one thread."""
    for text in texts[:_WARM_UP]:
        artefact.run_rows(*read([text]))
    taken = []
    for text in texts[:single]:
        started = clock()
        artefact.run_rows(*read([text]))
        taken.append(clock() - started)
    started = clock()
    artefact.run_rows(*read(texts))
    return Speed(
        latency_p50_ms=1000 * statistics.median(taken),
        texts_per_second=len(texts) / max(clock() - started, 1e-9),
    )
