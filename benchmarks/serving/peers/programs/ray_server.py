"""Ray Serve with a batched deployment, on a Ray of its own."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from collections.abc import Callable
from types import FrameType
from typing import TYPE_CHECKING, Any

from starlette.requests import Request

from benchmarks.serving.peers.programs.model import Answer, Model, Settings

if TYPE_CHECKING:
    # The checker's environment does not hold this library; this is what is used of it.
    ray: Any
    serve: Any
else:
    import ray
    from ray import serve


class Classifier:
    """One copy of the model a replica; `classify` gathers what concurrent requests bring."""

    def __init__(self, settings: Settings) -> None:
        self._model = Model(settings)
        batched: Callable[[Callable[[list[str]], Any]], Callable[[str], Any]] = serve.batch(
            max_batch_size=settings.batch, batch_wait_timeout_s=settings.wait_ms / 1000
        )
        self._classify = batched(self._batch)

    async def _batch(self, texts: list[str]) -> list[Answer]:
        return await asyncio.to_thread(self._model.classify, texts)

    async def __call__(self, request: Request) -> Answer:
        """One text."""
        body = await request.json()
        answer: Answer = await self._classify(body["text"])
        return answer


def _leave(_number: int, _frame: FrameType | None) -> None:
    sys.exit(0)


def main() -> None:
    """Serve until SIGTERM."""
    settings = Settings.from_environment()
    # Ray counts cores to place replicas, and keeps some of them for itself.
    ray.init(num_cpus=settings.workers, include_dashboard=False, log_to_driver=False, logging_level="ERROR")
    serve.start(http_options={"host": "127.0.0.1", "port": settings.port})
    deployment = serve.deployment(
        num_replicas=settings.workers,
        max_ongoing_requests=256,
        ray_actor_options={"num_cpus": 0.5, "runtime_env": {"env_vars": {"OMP_NUM_THREADS": str(settings.threads)}}},
    )(Classifier)
    serve.run(deployment.bind(settings), route_prefix="/classify")
    signal.signal(signal.SIGTERM, _leave)
    signal.signal(signal.SIGINT, _leave)
    try:
        signal.pause()
    finally:
        serve.shutdown()
        ray.shutdown()


if __name__ == "__main__":
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    main()
