"""A stop while a release is being loaded: what native code is at does not turn a clean end into a crash."""

from __future__ import annotations

import signal
from collections.abc import Callable
from typing import Any

import pytest

from contracts.home import Home
from contracts.release import Manifest

MINUTES = 40_000  # work that makes loading, which tries and times the release, take that long


@pytest.mark.parametrize("workers", [1, 2])
@pytest.mark.parametrize("signals", [[signal.SIGTERM], [signal.SIGINT, signal.SIGINT]])
def test_a_stop_in_the_midst_of_a_load_is_a_clean_end(
    home: Home,
    start_server: Callable[..., Any],
    release_served: Callable[..., Manifest],
    signals: list[signal.Signals],
    workers: int,
) -> None:
    release_served(home)
    # Of several workers each accepts once it has looked at all releases: the slow one comes afterwards.
    server = start_server(home, environment={"PERENNIAL_WORKERS": str(workers)})
    release_served(home, "slow", work=MINUTES)
    server.wait_for(lambda: server.get("/v1/models/slow").status_code == 200, "following")
    assert server.version("slow") is None
    for number in signals[:-1]:
        server.process.send_signal(number)
    assert server.end(signals[-1]) == 0
    server.reader.join(10)
    assert "terminate called" not in server.output()
    assert "left behind: releases" in server.output()
