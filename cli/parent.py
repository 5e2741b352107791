"""A program started by `perennial up` stops when `up` itself is gone, even if that was killed."""

from __future__ import annotations

import ctypes
import os
import signal
import sys
from collections.abc import Mapping

PARENT_VARIABLE = "PERENNIAL_PARENT_PID"
_PR_SET_PDEATHSIG = 1


def stop_with_parent(environment: Mapping[str, str]) -> None:
    """On Linux, ask the kernel for SIGTERM at the parent's death, when a parent asked for it."""
    parent = environment.get(PARENT_VARIABLE)
    if parent is None or not sys.platform.startswith("linux"):
        return
    if str(os.getppid()) != parent:
        # Either the parent died before this line, or the variable was inherited by a grandchild.
        return
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, int(signal.SIGTERM))
    if str(os.getppid()) != parent:
        os.kill(os.getpid(), signal.SIGTERM)
