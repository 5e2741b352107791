"""Long requests are tokenized beside the event loop, and as many characters as may wait for that are bounded."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable, Sequence

import pytest

from contracts.home import Home
from contracts.release import Manifest
from contracts.task import LimitSpec
from service.engine.encoding import EncodedText
from service.errors import QueueFullError
from service.http.problems import problem_of
from service.metrics import ServiceMetrics
from service.requests import PredictRequest
from service.serving import Serving
from service.settings import ServiceSettings

LONG = "invoice " * 75_000  # 600,000 characters of the million that may wait


def test_long_requests_beyond_the_bound_are_told_that_it_is_one_of_characters(
    home: Home, release_served: Callable[..., Manifest]
) -> None:
    release_served(home, limits=LimitSpec(max_text_chars=2_000_000))
    serving = Serving(ServiceSettings(home, threads=1), ServiceMetrics())
    go_on, begun = threading.Event(), threading.Event()

    async def label(*texts: str) -> str:
        found = await serving.predict("support", PredictRequest(list(texts)), time.monotonic())
        return found.answers[0].label

    async def run() -> None:
        serving.start()
        while not serving.releases.knows("support") or serving.releases.state("support").release is None:
            await asyncio.sleep(0.01)
        release = serving.releases.serving("support")
        encode = release.encode

        def held(texts: Sequence[str]) -> list[EncodedText]:
            if threading.current_thread() is not threading.main_thread():
                begun.set()
                assert go_on.wait(30)
            return encode(texts)

        release.encode = held
        first = asyncio.create_task(label(LONG * 3))
        assert await asyncio.to_thread(begun.wait, 30)
        with pytest.raises(QueueFullError, match="1000000 characters of long requests may wait") as caught:
            await label(LONG)
        assert "tokens" not in str(caught.value)
        assert "Task support" not in str(caught.value), "it is one bound for all tasks"
        problem = problem_of(caught.value, "/")
        assert (problem.status, dict(problem.headers)) == (503, {b"retry-after": b"1"})
        assert await label("courier") == "delivery", "short ones do not wait for that"
        go_on.set()
        assert await first == "billing"
        assert await label(LONG) == "billing"
        await serving.stop()

    try:
        asyncio.run(asyncio.wait_for(run(), 60))
    finally:
        go_on.set()
