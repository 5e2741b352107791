"""A real server whose disk takes nothing: pipes that nobody reads stand in the place of its logs."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import httpx
import pytest

from contracts.home import Home
from contracts.log import segment_path, segments
from contracts.release import Manifest

HOUR = 3600.0


@pytest.fixture
def hang() -> Any:
    """Puts full pipes in the place of a log's segment, this hour's and the next."""
    opened: list[int] = []

    def make(folder: Path) -> None:
        (segment,) = segments(folder)
        writer = segment.stem
        segment.unlink()
        for hour in range(2):
            path = segment_path(folder, writer, time.time() + hour * HOUR)
            path.parent.mkdir(parents=True, exist_ok=True)
            os.mkfifo(path)
            pipe = os.open(path, os.O_RDWR | os.O_NONBLOCK)
            opened.append(pipe)
            for size in (65536, 1):
                try:
                    while True:
                        os.write(pipe, bytes(size))
                except BlockingIOError:
                    continue

    yield make
    for pipe in opened:
        os.close(pipe)


@pytest.mark.parametrize("workers", [1, 2])
def test_feedback_is_told_at_its_deadline_and_a_stop_is_a_clean_end(
    home: Home,
    start_server: Callable[..., Any],
    release_served: Callable[..., Manifest],
    assert_problem: Callable[..., dict[str, Any]],
    hang: Callable[[Path], None],
    workers: int,
) -> None:
    release_served(home)
    server = start_server(home, environment={"PERENNIAL_DRAIN_SECONDS": "2", "PERENNIAL_WORKERS": str(workers)})
    # One connection, and so one worker.
    server.client.close()
    server.client = httpx.Client(timeout=30, limits=httpx.Limits(keepalive_expiry=None))
    identifier = server.predict("invoice").json()["predictions"][0]["id"]
    assert server.feedback((identifier, "billing")).status_code == 202
    server.wait_for(lambda: segments(home.predictions("support")), "logged")
    hang(home.feedback("support"))
    hang(home.predictions("support"))
    body = {"items": [{"id": identifier, "label": "other"}]}
    url = f"{server.url}/v1/models/support:feedback"
    for _ in range(2):
        late = server.client.post(url, json=body, headers={"x-request-timeout-ms": "1000"})
        assert "may have been recorded" in assert_problem(late, 504, "deadline-exceeded")["detail"]
    malformed = server.client.post(url, json=body, headers={"x-request-timeout-ms": "soon"})
    assert_problem(malformed, 400, "invalid-header")
    assert server.predict("invoice").status_code == 200, "predictions wait for no disk"
    with ThreadPoolExecutor(1) as pool:
        patient = pool.submit(server.client.post, url, json=body)
        time.sleep(1)  # until it was accepted
        begun = time.monotonic()
        assert server.end(signal.SIGTERM) == 0
        assert time.monotonic() - begun < 15, "the bound, half of it for the logs, and what a slow machine needs"
        assert_problem(patient.result(), 503, "stopping")
    server.reader.join(10)
    assert "Feedback could not be written within 1.0 s" in server.output()
    assert "left behind" in server.output()
    assert "Traceback" not in server.output()
