"""Test accuracy of the released int8 artefact of a task, and what its training cost.

`python -m benchmarks.accuracy tasks/banking77.toml` trains into a home of its own, releases through the gate as any
training does, and writes `benchmarks/results/TASK.json`.
"""

from __future__ import annotations

import argparse
import os
import resource
import sys
import tempfile
import time
from pathlib import Path

from benchmarks.results_file import print_figures, write_result
from contracts.errors import PerennialError
from contracts.home import Home
from contracts.task import load_task


def main() -> int:
    """0 when a release passed its gate; 1 with the reason otherwise."""
    parser = argparse.ArgumentParser(description="Train a task and record the accuracy of its int8 artefact.")
    parser.add_argument("task", type=Path)
    options = parser.parse_args()
    try:
        spec = load_task(options.task, os.environ)
        os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")  # as `perennial train` does
        from training.pipeline import train

        with tempfile.TemporaryDirectory(prefix="perennial-bench-") as folder:
            started = time.monotonic()
            manifest = train(Home(Path(folder)), spec)
            minutes = (time.monotonic() - started) / 60
    except PerennialError as error:
        sys.stderr.write(f"error: {error}\n")
        return 1
    cpu = resource.getrusage(resource.RUSAGE_SELF)
    figures = {
        f"{spec.name}_accuracy_int8": manifest.metrics["accuracy"],
        f"{spec.name}_minutes": minutes,
        "cpu_minutes": (cpu.ru_utime + cpu.ru_stime) / 60,
        "peak_mb": cpu.ru_maxrss / 1024,
    }
    path = write_result(
        spec.name,
        f"make bench-{spec.name}",
        {name: round(value, 4) for name, value in figures.items()},
        {"metrics": manifest.metrics, "spec": spec.model_dump(mode="json", exclude={"data"})},
    )
    print_figures(path)
    return 0


if __name__ == "__main__":
    sys.exit(main())
