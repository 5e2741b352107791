"""Work that must not slow down what callers wait for: a thread of the lowest priority."""

from __future__ import annotations

import os
import sys
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

T = TypeVar("T")

_LOWEST = 19


def in_background(work: Callable[[], T]) -> T:
    """Run it in a thread that has the processor when no other wants it, wait, and return what it returns or raises.

    Only for a long call that does not hold the interpreter's lock: with the lock held, a thread that gets no processor
    would stop all others. Where threads have no priority of their own (not on Linux), it is an ordinary thread.
    """
    with ThreadPoolExecutor(1, thread_name_prefix="background", initializer=_yield_to_others) as executor:
        return executor.submit(work).result()


def _yield_to_others() -> None:
    if sys.platform == "linux":
        os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), _LOWEST)
