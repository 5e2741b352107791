"""Work in a thread of the lowest priority."""

from __future__ import annotations

import os
import sys
import threading

import pytest

from service.engine.background import in_background


def test_what_it_returns_and_raises_comes_back() -> None:
    assert in_background(lambda: 42) == 42

    def fail() -> None:
        raise LookupError("no such thing")

    with pytest.raises(LookupError, match="no such thing"):
        in_background(fail)


@pytest.mark.skipif(sys.platform != "linux", reason="threads have a priority of their own on Linux only")
def test_it_has_the_lowest_priority_and_leaves_everyone_elses_alone() -> None:
    def priority() -> int:
        return os.getpriority(os.PRIO_PROCESS, threading.get_native_id())

    before = priority()
    assert in_background(priority) == 19
    assert priority() == before
    found: list[int] = []
    later = threading.Thread(target=lambda: found.append(priority()))
    later.start()
    later.join()
    assert found == [before]
