"""What made an artefact: the source's commit and the libraries' versions."""

from __future__ import annotations

import subprocess
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

_LIBRARIES = ("perennial", "torch", "transformers", "tokenizers", "optimum", "optimum-onnx", "onnx", "onnxruntime")


def library_versions() -> dict[str, str]:
    """Installed versions of the libraries that shape an artefact; those without metadata are left out."""
    found = {}
    for name in _LIBRARIES:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue
    return found


def source_commit() -> str | None:
    """The git commit of the checkout that this code runs from, or None outside of one."""
    folder = Path(__file__).resolve().parent
    try:
        done = subprocess.run(
            ["git", "-C", str(folder), "rev-parse", "HEAD"], capture_output=True, text=True, timeout=10, check=False
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    return done.stdout.strip() if done.returncode == 0 else None
