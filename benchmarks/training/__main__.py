"""How fast training is, beside a plain `Trainer` script, and what the releases of known tasks reach.

`python -m benchmarks.training` writes `benchmarks/results/training.json` and prints a table. The sides are run
by turns, each as a process of its own, so that a busy moment of the machine falls on both.
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from rich.console import Console
from rich.table import Table

from benchmarks.results_file import print_figures, write_result

TASKS = Path(__file__).resolve().parents[2] / "tasks"
_SIDES = {
    "plain Trainer script": ["benchmarks.training.plain"],
    "Trainer, told all that makes it fast": ["benchmarks.training.plain", "--tuned"],
    "perennial": ["benchmarks.training.ours"],
}
# The release of a task, the metric of its artefact as deployed, and the figure's name.
_RELEASES = {
    "banking77": ("accuracy", "banking77_accuracy_int8"),
    "clinc150": ("accuracy", "clinc150_accuracy_int8"),
    "wnut17": ("f1", "wnut17_f1_int8"),
    "squadshifts": ("f1", "qa_f1_int8"),
}


def main() -> int:
    """0 when every part that was asked for could be measured."""
    parser = argparse.ArgumentParser(description="Measure training. Needs PERENNIAL_DATA; 30 minutes on two cores.")
    parser.add_argument("--rounds", type=int, default=3, help="of the comparison of speed")
    parser.add_argument("--rows", type=int, default=2000, help="training texts of the comparison of speed")
    parser.add_argument("--releases", nargs="*", default=sorted(_RELEASES), help="tasks to train whole")
    options = parser.parse_args()
    task = str(TASKS / "banking77.toml")
    rounds = [
        {name: _run([*command, task, "--epochs", "1", "--rows", str(options.rows)]) for name, command in _SIDES.items()}
        for _ in range(options.rounds)
    ]
    speeds = {name: statistics.median(found[name]["samples_per_second"] for found in rounds) for name in _SIDES}
    figures = {
        "samples_per_second": speeds["perennial"],
        "samples_per_second_vs_trainer": speeds["perennial"] / speeds["plain Trainer script"],
        "samples_per_second_vs_tuned_trainer": speeds["perennial"] / speeds["Trainer, told all that makes it fast"],
    }
    releases: dict[str, object] = {}
    for name in options.releases:
        metric, figure = _RELEASES[name]
        with tempfile.TemporaryDirectory(prefix="perennial-bench-") as home:
            found = _run(["benchmarks.training.release", str(TASKS / f"{name}.toml"), "--home", home])
        releases[name] = found
        figures[figure] = found[metric]
        if name == "banking77":
            figures |= {"banking77_minutes": found["minutes"], "peak_mb": found["peak_mb"]}
            if (minutes := found.get("minutes_to_092")) is not None:
                figures["banking77_minutes_to_092"] = minutes
    detail = {"rounds": rounds, "releases": releases, "left out": sorted(set(_RELEASES) - set(options.releases))}
    rounded = {name: round(value, 4) for name, value in figures.items()}
    path = write_result("training", "make bench-training", rounded, detail)
    _print_table(speeds, rounds)
    print_figures(path)
    return 0


def _run(arguments: Sequence[str]) -> dict[str, float]:
    """The JSON object that a module prints last; its other output goes to standard error."""
    done = subprocess.run([sys.executable, "-m", *arguments], stdout=subprocess.PIPE, text=True, check=True)
    found: dict[str, float] = json.loads(done.stdout.strip().splitlines()[-1])
    return found


def _print_table(speeds: dict[str, float], rounds: Sequence[dict[str, dict[str, float]]]) -> None:
    table = Table("", "texts/s", "x", "peak MB", title="one epoch of banking77's first texts, by turns; medians")
    for name, speed in speeds.items():
        memory = statistics.median(found[name]["peak_mb"] for found in rounds)
        table.add_row(name, f"{speed:.0f}", f"{speed / speeds['plain Trainer script']:.2f}", f"{memory:.0f}")
    Console().print(table)


if __name__ == "__main__":
    sys.exit(main())
