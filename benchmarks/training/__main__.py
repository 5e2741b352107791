"""How fast training is, beside a plain `Trainer` script, and what the releases of known tasks reach.

`python -m benchmarks.training [--parts ...]` writes `benchmarks/results/training.json` and a table. The sides are
run by turns, each as a process of its own, so that a busy moment of the machine falls on both.
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console
from rich.table import Table

from benchmarks.results_file import RESULTS, origin, print_figures, write_result

TASKS = Path(__file__).resolve().parents[2] / "tasks"
_PLAIN = "plain Trainer script"
_TUNED = "Trainer by length, in bf16, embeddings frozen"
_OURS = "perennial"
_SIDES = {
    _PLAIN: ["benchmarks.training.plain"],
    _TUNED: ["benchmarks.training.plain", "--tuned"],
    _OURS: ["benchmarks.training.ours"],
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
    parser.add_argument(
        "--parts", nargs="*", choices=["speed", *_RELEASES], help="these alone; the rest stays as it was"
    )
    options = parser.parse_args()
    wanted = options.parts or ["speed", *_RELEASES]
    earlier = _earlier() if options.parts else _Found({}, {}, {})
    figures, detail, origins = dict(earlier.figures), dict(earlier.detail), dict(earlier.origins)
    origins |= dict.fromkeys(wanted, origin())
    if "speed" in wanted:
        rounds = [_round(options.rows) for _ in range(options.rounds)]
        _print_table(rounds)
        figures |= _compared(rounds)
        detail["speed"] = {"task": "banking77", "rows": options.rows, "epochs": 1, "rounds": rounds}
    for name in (name for name in _RELEASES if name in wanted):
        released = _release(name)
        figures.pop(f"{name}_minutes_to_092", None)  # of an earlier run, which this one may not equal
        figures |= _reached(name, released)
        detail[name] = released
    rounded = {name: round(value, 4) for name, value in sorted(figures.items())}
    print_figures(write_result("training", "make bench-training", rounded, detail | {"origins": origins}))
    return 0


@dataclass(frozen=True)
class _Found:
    figures: dict[str, float]
    detail: dict[str, object]
    origins: dict[str, object]  # by part: where, when and by what commit it was measured


def _earlier() -> _Found:
    path = RESULTS / "training.json"
    if not path.is_file():
        return _Found({}, {}, {})
    content = json.loads(path.read_text(encoding="utf-8"))
    detail = {name: found for name, found in content["detail"].items() if name != "origins"}
    made = {name: content[name] for name in ("commit", "machine", "when")}
    return _Found(content["figures"], detail, content["detail"].get("origins") or dict.fromkeys(detail, made))


def _round(rows: int) -> dict[str, dict[str, float]]:
    task = str(TASKS / "banking77.toml")
    return {name: _run([*side, task, "--epochs", "1", "--rows", str(rows)]) for name, side in _SIDES.items()}


def _compared(rounds: Sequence[dict[str, dict[str, float]]]) -> dict[str, float]:
    speeds = _medians(rounds, "samples_per_second")
    return {
        "samples_per_second": speeds[_OURS],
        "samples_per_second_vs_trainer": speeds[_OURS] / speeds[_PLAIN],
        "samples_per_second_vs_tuned_trainer": speeds[_OURS] / speeds[_TUNED],
    }


def _release(name: str) -> dict[str, float]:
    with tempfile.TemporaryDirectory(prefix="perennial-bench-") as home:
        return _run(["benchmarks.training.release", str(TASKS / f"{name}.toml"), "--home", home])


def _reached(name: str, released: dict[str, float]) -> dict[str, float]:
    metric, figure = _RELEASES[name]
    figures = {figure: released[metric]}
    if name == "banking77":
        figures |= {"banking77_minutes": released["minutes"], "peak_mb": released["peak_mb"]}
        if (minutes := released.get("minutes_to_092")) is not None:
            figures["banking77_minutes_to_092"] = minutes
    return figures


def _medians(rounds: Sequence[dict[str, dict[str, float]]], what: str) -> dict[str, float]:
    return {name: statistics.median(found[name][what] for found in rounds) for name in _SIDES}


def _run(arguments: Sequence[str]) -> dict[str, float]:
    """The JSON object that a module prints last; its other output goes to standard error."""
    done = subprocess.run([sys.executable, "-m", *arguments], stdout=subprocess.PIPE, text=True, check=True)
    found: dict[str, float] = json.loads(done.stdout.strip().splitlines()[-1])
    return found


def _print_table(rounds: Sequence[dict[str, dict[str, float]]]) -> None:
    table = Table("", "texts/s", "x", "peak MB", title="one epoch of banking77's first texts, by turns; medians")
    speeds, memory = _medians(rounds, "samples_per_second"), _medians(rounds, "peak_mb")
    for name, speed in speeds.items():
        table.add_row(name, f"{speed:.0f}", f"{speed / speeds[_PLAIN]:.2f}", f"{memory[name]:.0f}")
    Console().print(table)


if __name__ == "__main__":
    sys.exit(main())
