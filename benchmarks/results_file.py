"""One file a benchmark: `benchmarks/results/NAME.json`, with what made it and on what machine."""

from __future__ import annotations

import json
import os
import platform
import subprocess
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path

from contracts.files import write_atomic

RESULTS = Path(__file__).resolve().parent / "results"


def write_result(name: str, command: str, figures: Mapping[str, float], detail: Mapping[str, object]) -> Path:
    """Write the figures (flat, numbers only) and whatever else is worth keeping; returns the file's path."""
    result = {
        "command": command,
        **origin(),
        "figures": dict(figures),
        "detail": dict(detail),
    }
    path = RESULTS / f"{name}.json"
    write_atomic(path, (json.dumps(result, indent=2, ensure_ascii=False, allow_nan=False) + "\n").encode())
    return path


def origin() -> dict[str, object]:
    """What measures, where and when: `commit`, `machine` and `when`."""
    when = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    return {"commit": _commit(), "machine": _machine(), "when": when}


def print_figures(path: Path) -> None:
    """The figures of a results file, lined up."""
    figures = json.loads(path.read_text(encoding="utf-8"))["figures"]
    width = max(len(name) for name in figures)
    for name, value in figures.items():
        print(f"{name:<{width}}  {value:.4g}")
    print(f"written to {path}")


def _commit() -> str | None:
    git = subprocess.run(
        ["git", "rev-parse", "--short", "HEAD"], cwd=RESULTS.parent, capture_output=True, text=True, check=False
    )
    return git.stdout.strip() or None


def _machine() -> dict[str, object]:
    model = platform.processor() or platform.machine()
    try:
        for line in Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines():
            if line.startswith("model name"):
                model = line.partition(":")[2].strip()
                break
    except OSError:
        model = platform.machine()
    # With its build: interpreters of one version differ by a quarter in speed.
    python = f"{platform.python_version()} ({' '.join(platform.python_build())}, {platform.python_compiler()})"
    return {"cpu": model, "cores": os.cpu_count(), "system": platform.system(), "python": python}
