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
    "broad-twitter": ("f1", "broad_twitter_f1_int8"),
    "squadshifts": ("f1", "qa_f1_int8"),
}


def main() -> int:
    """0 when every part that was asked for could be measured."""
    parser = argparse.ArgumentParser(description="Measure training. Needs PERENNIAL_DATA; 35 minutes on two cores.")
    parser.add_argument("--rounds", type=int, default=3, help="of the comparison of speed")
    parser.add_argument("--rows", type=int, default=2000, help="training texts of the comparison of speed")
    parser.add_argument(
        "--parts", nargs="+", choices=["speed", *_RELEASES], help="these alone; the rest stays as it was"
    )
    options = parser.parse_args()
    for part in options.parts or ["speed", *_RELEASES]:
        measured = _speed(options.rounds, options.rows) if part == "speed" else _reached(part, _release(part))
        # After each part: whoever ends this, or runs parts on different days, keeps what was measured.
        path = _write(_earlier(), part, measured)
    print_figures(path)
    return 0


@dataclass(frozen=True)
class _Measured:
    figures: dict[str, float]
    detail: object


@dataclass(frozen=True)
class _Earlier:
    figures: dict[str, float]
    detail: dict[str, object]
    origins: dict[str, object]  # by part: where, when and by what commit it was measured


def _earlier() -> _Earlier:
    path = RESULTS / "training.json"
    if not path.is_file():
        return _Earlier({}, {}, {})
    content = json.loads(path.read_text(encoding="utf-8"))
    origins = content["detail"].pop("origins", None)
    if origins is None:
        made = {name: content[name] for name in ("commit", "machine", "when")}
        origins = dict.fromkeys(content["detail"], made)
    return _Earlier(content["figures"], content["detail"], origins)


def _write(earlier: _Earlier, part: str, measured: _Measured) -> Path:
    # Minutes to 0.92 of an earlier run go: this one may not have come so far.
    kept = {name: value for name, value in earlier.figures.items() if name != f"{part}_minutes_to_092"}
    figures = kept | {name: round(value, 4) for name, value in measured.figures.items()}
    detail = earlier.detail | {part: measured.detail, "origins": earlier.origins | {part: origin()}}
    return write_result("training", "make bench-training", dict(sorted(figures.items())), detail)


def _speed(rounds: int, rows: int) -> _Measured:
    found = [_round(rows) for _ in range(rounds)]
    _print_table(found)
    return _Measured(_compared(found), {"task": "banking77", "rows": rows, "epochs": 1, "rounds": found})


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


def _reached(name: str, released: dict[str, float]) -> _Measured:
    metric, figure = _RELEASES[name]
    figures = {figure: released[metric]}
    if name == "banking77":
        figures |= {"banking77_minutes": released["minutes"], "peak_mb": released["peak_mb"]}
        if (minutes := released.get("minutes_to_092")) is not None:
            figures["banking77_minutes_to_092"] = minutes
    return _Measured(figures, released)


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
