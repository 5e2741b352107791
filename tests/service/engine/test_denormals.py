"""Networks run with denormal numbers as zero, and nothing else of the process does."""

import platform
import sys
import threading
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from contracts.home import Home
from contracts.release import Manifest
from service.engine.denormals import with_denormals_as_zero
from service.engine.loading import load_release

pytestmark = pytest.mark.skipif(
    sys.platform != "linux" or platform.machine() != "x86_64", reason="Only known how on Linux on x86-64."
)
SMALLEST = np.array([5e-324, 1e-310])


def _doubled() -> list[float]:
    return [float(value) for value in SMALLEST * 2]


def test_only_while_it_runs() -> None:
    assert with_denormals_as_zero(_doubled) == [0.0, 0.0]
    assert _doubled() == [1e-323, 2e-310]


def test_after_an_error_too() -> None:
    with pytest.raises(ZeroDivisionError):
        with_denormals_as_zero(lambda: 1 // 0)
    assert _doubled() == [1e-323, 2e-310]


def test_in_any_thread_and_in_no_other() -> None:
    inside, outside = [], []
    running, looked = threading.Event(), threading.Event()

    def run() -> None:
        running.set()
        looked.wait(10)
        inside.extend(_doubled())

    thread = threading.Thread(target=with_denormals_as_zero, args=(run,))
    thread.start()
    assert running.wait(10)
    outside.extend(_doubled())
    looked.set()
    thread.join()
    assert (inside, outside) == ([0.0, 0.0], [1e-323, 2e-310])


def test_a_release_runs_so(home: Home, make_release: Callable[..., Manifest], monkeypatch: pytest.MonkeyPatch) -> None:
    release = load_release(home, "support", make_release(home).version, threads=1)
    session: Any = release._session
    found: list[list[float]] = []

    class Watched:
        def run(self, *asked: Any) -> Any:
            found.append(_doubled())
            return session.run(*asked)

    monkeypatch.setattr(release, "_session", Watched())
    assert np.isfinite(release.predict([[5, 6, 7], [5]]).scores).all()
    assert found == [[0.0, 0.0]]
    assert _doubled() == [1e-323, 2e-310]
