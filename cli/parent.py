"""A program started by `perennial up` stops when `up` itself is gone, even if that was killed."""

from __future__ import annotations

import ctypes
import os
import signal
import sys
from collections.abc import MutableMapping

PARENT_VARIABLE = "PERENNIAL_PARENT_PID"
_PR_SET_PDEATHSIG = 1


def stop_with_parent(environment: MutableMapping[str, str]) -> None:
    """On Linux, ask the kernel for SIGTERM at the parent's death, when a parent asked for it.

    Takes the variable out of the environment, so that it means this process and no child of it.
    """
    parent = environment.pop(PARENT_VARIABLE, None)
    if parent is None or not sys.platform.startswith("linux"):
        return
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, int(signal.SIGTERM))
    if str(os.getppid()) != parent:
        os.kill(os.getpid(), signal.SIGTERM)
