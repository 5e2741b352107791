"""Numbers too small to be normal count as zero while a network runs.

Attention is kept from padding by scores so low that the softmax makes numbers below 1.2e-38 of them. For each of these
an x86 processor takes some hundred times as long as for another, so that a softmax over padding took more than twice
as long as one over text. onnxruntime's own setting for it reaches its threads, and of all others only the one that
makes a process's first session.
"""

from __future__ import annotations

import ctypes
import platform
import sys
from collections.abc import Callable
from typing import TypeVar

Result = TypeVar("Result")

# fenv_t of Linux on x86-64 (glibc and musl): 28 bytes of the x87, then the MXCSR. Its bits 15 and 6 are "flush to zero"
# and "denormals are zeros" (Intel 64 and IA-32 Architectures Software Developer's Manual, volume 1, section 10.2.3).
_SIZE, _MXCSR, _AS_ZERO = 32, 28, 0x8040


def _c_library() -> ctypes.PyDLL | None:
    if sys.platform != "linux" or platform.machine() != "x86_64":
        return None
    # PyDLL keeps the interpreter, which CDLL would give away and wait for at each of these calls.
    library = ctypes.PyDLL(None)
    return library if hasattr(library, "fegetenv") and hasattr(library, "fesetenv") else None


_LIBRARY = _c_library()


def with_denormals_as_zero(run: Callable[[], Result]) -> Result:
    """What `run` returns, run in this thread with denormal numbers as zero; where that is not known how, just run."""
    if _LIBRARY is None:
        return run()
    usual = ctypes.create_string_buffer(_SIZE)
    _LIBRARY.fegetenv(usual)
    changed = ctypes.create_string_buffer(usual.raw, _SIZE)
    register = ctypes.c_uint32.from_buffer(changed, _MXCSR)
    register.value |= _AS_ZERO
    _LIBRARY.fesetenv(changed)
    try:
        return run()
    finally:
        _LIBRARY.fesetenv(usual)
