"""Ray Serve with a batched deployment, on a Ray of its own that leaves nothing behind."""

from __future__ import annotations

import asyncio
import contextlib
import ctypes
import importlib
import os
import signal
import socket
import sys
import time
from collections.abc import Callable
from pathlib import Path
from types import FrameType
from typing import Any

from starlette.requests import Request

from benchmarks.serving.peers.programs.model import Answer, Model, Settings


class Classifier:
    """One copy of the model a replica; `classify` gathers what concurrent requests bring."""

    def __init__(self, settings: Settings) -> None:
        serve: Any = importlib.import_module("ray.serve")
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


_PR_SET_CHILD_SUBREAPER = 36  # linux/prctl.h
_END_SECONDS = 5.0


def _free_port() -> str:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return str(probe.getsockname()[1])


def _children() -> list[int]:
    """Processes whose parent is this one."""
    found = []
    for stat in Path("/proc").glob("[0-9]*/stat"):
        # A process may end while it is looked at.
        with contextlib.suppress(OSError):
            after_name = stat.read_text(encoding="utf-8", errors="replace").rpartition(")")[2].split()
            if int(after_name[1]) == os.getpid():
                found.append(int(stat.parent.name))
    return found


def _end_children() -> None:
    """Kill what Ray started, HAProxy among it, which outlives an actor that was killed."""
    until = time.monotonic() + _END_SECONDS
    while (children := _children()) and time.monotonic() < until:
        for child in children:
            with contextlib.suppress(ProcessLookupError):
                os.kill(child, signal.SIGKILL)
            with contextlib.suppress(ChildProcessError):
                os.waitpid(child, 0)


def _leave(_number: int, _frame: FrameType | None) -> None:
    sys.exit(0)


def main() -> None:
    """Serve until SIGTERM."""
    settings = Settings.from_environment()
    # A fixed port, as is the default, would clash with another Ray on this machine. Ray reads it when it is imported.
    os.environ["RAY_SERVE_HAPROXY_STATS_PORT"] = _free_port()
    ray: Any = importlib.import_module("ray")
    serve: Any = importlib.import_module("ray.serve")
    # Descendants whose parent dies become children of this process, so that none is lost.
    ctypes.CDLL(None).prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
    signal.signal(signal.SIGTERM, _leave)
    signal.signal(signal.SIGINT, _leave)
    try:
        # Ray counts cores to place replicas, and keeps some of them for itself.
        ray.init(num_cpus=settings.workers, include_dashboard=False, log_to_driver=False, logging_level="ERROR")
        serve.start(http_options={"host": "127.0.0.1", "port": settings.port})
        deployment = serve.deployment(
            num_replicas=settings.workers,
            max_ongoing_requests=256,
            ray_actor_options={"num_cpus": 0.5},
        )(Classifier)
        serve.run(deployment.bind(settings), route_prefix="/classify")
        signal.pause()
    finally:
        _end_children()


if __name__ == "__main__":
    main()
