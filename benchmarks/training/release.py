"""One task trained to its release: what the artefact reaches, and how long it took.

`python -m benchmarks.training.release TASK.toml --home HOME` prints one JSON object: the manifest's metrics, minutes of
the whole (the same as `minutes_to_092` where its test accuracy is 0.92 or more), and the most memory that was held.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import sys
import time
from pathlib import Path

from contracts.home import Home
from contracts.task import load_task

_WANTED = 0.92


def main() -> int:
    """Train and print."""
    parser = argparse.ArgumentParser(description="Train a task to its release.")
    parser.add_argument("task", type=Path)
    parser.add_argument("--home", type=Path, required=True)
    options = parser.parse_args()
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")  # as `perennial train` does
    spec = load_task(options.task, os.environ)
    started = time.monotonic()
    # Here, because it loads torch, before which there is a setting to make.
    from training.pipeline import train

    home = Home(options.home)
    manifest = train(home, spec)
    minutes = (time.monotonic() - started) / 60
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    found = {**manifest.metrics, "minutes": minutes, "peak_mb": peak}
    if manifest.metrics.get("accuracy", 0.0) >= _WANTED:
        found["minutes_to_092"] = minutes
    print(json.dumps(found))
    return 0


if __name__ == "__main__":
    sys.exit(main())
