"""Open-loop loads on Perennial alone: below, near and past capacity, and a release swapped in under load."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from statistics import median

import httpx

from benchmarks.serving.corpus import TASK, Corpus
from benchmarks.serving.load import LoadResult, quantile
from benchmarks.serving.rounds import measure
from benchmarks.serving.subject import Running, begun, finished
from contracts.rollout import promote

_CONNECTIONS = 256
# More than the queue holds, so that the load never waits in its own queue for a connection to be free.
_FLOOD_CONNECTIONS = 3000
# Past capacity, the queue must be full before it is measured what becomes of the rest.
_WARM_SECONDS = 5.0
_SWAP_AFTER = 4.0
_SWAP_SECONDS = 12.0
# How long the effect of a swap is looked for, once the service tells of the new release.
_SWAP_AFTERMATH = 1.0
_ASK_SECONDS = 0.05


@dataclass(frozen=True)
class OpenLoad:
    """One open-loop load at a share of capacity."""

    share: float
    asked_per_second: float
    answered_per_second: float
    refused: int  # 503
    failed: int  # anything else that is no answer
    p50_ms: float
    p99_ms: float


@dataclass(frozen=True)
class Swap:
    """One release swapped in at 70 % of capacity."""

    failed: int
    p99_before_ms: float
    p99_during_ms: float
    loaded_seconds: float  # from the promotion until the service told of the new release


def capacity(found: Running, texts: Sequence[str], seconds: float) -> float:
    """Texts a second at 64 concurrent."""
    return measure(found, texts, 64, seconds).per_second


def open_load(found: Running, texts: Sequence[str], share: float, full: float, seconds: float) -> OpenLoad:
    """Poisson arrivals at `share` of `full` texts a second."""
    connections = _FLOOD_CONNECTIONS if share > 1 else _CONNECTIONS
    plan = replace(found.plan(texts, connections, seconds), rate=share * full, warm_seconds=_WARM_SECONDS)
    result, _ = found.load(plan)
    refused = result.statuses.get("503", 0)
    failed = sum(count for status, count in result.statuses.items() if status not in ("200", "503"))
    return OpenLoad(
        share, share * full, result.per_second, refused, failed, result.quantile_ms(0.5), result.quantile_ms(0.99)
    )


def swap(found: Running, corpus: Corpus, version: str, full: float) -> Swap:
    """Promote `version` in the middle of a load at 70 % of capacity."""
    plan = replace(
        found.plan(corpus.short, _CONNECTIONS, _SWAP_SECONDS), rate=0.7 * full, warm_seconds=2.0, record=True
    )
    # One connection for all questions: to make each anew takes a good part of a core from the service.
    with httpx.Client(base_url=f"http://127.0.0.1:{found.port}", timeout=5) as client, begun(plan) as process:
        time.sleep(plan.warm_seconds + _SWAP_AFTER)
        promoted = time.monotonic()
        promote(corpus.home, TASK, version, by="benchmark", reason="swap under load", now=time.time())
        loaded = _wait_for(client, version)
        result = finished(process, plan)
    during = _latencies(result, promoted, loaded + _SWAP_AFTERMATH)
    before = _latencies(result, promoted - _SWAP_AFTER, promoted)
    failed = sum(1 for _, status, _, _, _ in result.answers if status != 200)
    return Swap(failed, quantile(before, 0.99), quantile(during, 0.99), loaded - promoted)


def swap_ratio(swaps: Sequence[Swap]) -> float:
    """Median of p99 during the swap over p99 before it."""
    return median(one.p99_during_ms / one.p99_before_ms for one in swaps)


def _wait_for(client: httpx.Client, version: str) -> float:
    while client.get(f"/v1/models/{TASK}").json()["version"] != version:
        time.sleep(_ASK_SECONDS)
    return time.monotonic()


def _latencies(result: LoadResult, start: float, end: float) -> list[float]:
    """Of the requests that were answered between two monotonic times (one clock for all processes of a machine)."""
    return sorted(latency for _, status, when, latency, _ in result.answers if status == 200 and start <= when < end)
