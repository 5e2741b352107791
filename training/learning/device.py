"""What a network is trained on, and the same result of it every time."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch.utils import deterministic

_settings: Any = deterministic  # its type information does not say what can be set


def training_device() -> torch.device:
    """This process's NVIDIA card where there is one, else the processor."""
    return torch.device("cuda", torch.cuda.current_device()) if torch.cuda.is_available() else torch.device("cpu")


@contextmanager
def reproducible() -> Iterator[None]:
    """While the block runs, a card of NVIDIA adds up in the same order every time, as a processor does anyway.

    Gradients of attention and embeddings would else be summed as threads come. An operation that knows no such order
    raises RuntimeError with its name. Source: PyTorch documentation, Reproducibility.
    """
    if not torch.cuda.is_available():
        yield
        return
    # cuBLAS reads it when it is first used: without it, it picks among workspaces as they come free.
    os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
    before = torch.are_deterministic_algorithms_enabled(), _settings.fill_uninitialized_memory
    torch.use_deterministic_algorithms(True)
    _settings.fill_uninitialized_memory = False  # nothing here reads memory that it has not written
    try:
        yield
    finally:
        torch.use_deterministic_algorithms(before[0])
        _settings.fill_uninitialized_memory = before[1]
