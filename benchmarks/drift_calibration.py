"""How often the drift tests cry wolf, and how much foreign text they need to see drift.

Reference and windows are drawn from a synthetic population of eight classes (and of 150 for the false alarms), since
the truth must be known. A foreign text looks as another language does to a model: it lies elsewhere, breaks into more
pieces, is longer, leaves the model less sure, and gathers in a few labels; each trait overlaps with the usual ones.
"""

from __future__ import annotations

import time
from collections import Counter
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from benchmarks.results_file import print_figures, write_result
from contracts.task import MonitorSpec
from monitoring.drift import EFFECT_FLOORS, detect
from monitoring.verdict import detectors, word
from monitoring.window import Sample

WINDOWS = (50, 100, 300, 1000)
SHARES = (0.05, 0.10, 0.20, 0.50)
REFERENCE_ROWS = 2000
DIMENSIONS = 16
NULL_TRIALS = 200
MANY_CLASSES_TRIALS = 200
POWER_TRIALS = 30
COMMAND = "make bench-drift"


@dataclass(frozen=True)
class Population:
    """Where texts come from: one centre a class in the projected space."""

    centres: npt.NDArray[np.float64]  # [classes, k]

    @classmethod
    def of(cls, classes: int) -> Population:
        """Classes at random places."""
        return cls(np.random.default_rng(1).normal(0, 1, (classes, DIMENSIONS)))

    def draw(self, rows: int, rng: np.random.Generator, foreign: float = 0.0) -> Sample:
        """`rows` texts, each foreign with the given probability."""
        odd = rng.random(rows) < foreign
        classes = len(self.centres)
        labels = np.where(odd, rng.integers(0, max(2, classes // 4), rows), rng.integers(0, classes, rows))
        near = self.centres[labels] * np.where(odd, 0.4, 1.0)[:, None]
        near[odd, 0] += 0.8
        return Sample(
            labels=labels.astype(np.int64),
            scores=np.where(odd, rng.beta(4, 2, rows), rng.beta(9, 1, rows)).astype(np.float32),
            lengths=np.clip(rng.poisson(np.where(odd, 18, 14)), 3, None).astype(np.int64),
            unknown_shares=np.where(rng.random(rows) < 0.05, rng.uniform(0, 0.2, rows), 0).astype(np.float32),
            fragmentation=(1 + rng.gamma(2, np.where(odd, 0.25, 0.1), rows)).astype(np.float32),
            projections=(near + rng.normal(0, 0.5, (rows, DIMENSIONS))).astype(np.float32),
        )


def measure(population: Population, window: int, foreign: float, trials: int, alpha: float, seed: str) -> Counter[str]:
    """How many of `trials` windows each detector, and the verdict (as `any`), called drift."""
    counts: Counter[str] = Counter()
    for trial in range(trials):
        name = f"{seed}/{window}/{foreign}/{trial}"
        rng = np.random.default_rng([window, int(foreign * 1000), trial, len(population.centres)])
        reference = population.draw(REFERENCE_ROWS, rng)
        found = detectors(detect(reference, population.draw(window, rng, foreign), name), alpha)
        counts["any"] += word(found) == "drift"
        # Without the floors, which hide how well the p-values themselves keep their level.
        counts["any, without effect floors"] += any(one.adjusted_p_value <= alpha for one in found)
        for one in found:
            counts[one.name] += one.verdict == "drift"
    return counts


def main() -> int:
    """Measure, print, and write `drift.json`."""
    started = time.monotonic()
    alpha = MonitorSpec().alpha
    figures: dict[str, float] = {}
    detail: dict[str, object] = {
        "alpha, family-wise": alpha,
        "effect_floors": EFFECT_FLOORS,
        "reference_rows": REFERENCE_ROWS,
        "trials": {"unchanged": NULL_TRIALS, "150 classes": MANY_CLASSES_TRIALS, "foreign": POWER_TRIALS},
        "population": "synthetic, see benchmarks/drift_calibration.py",
        "required_run": "figures are of single windows; an alert needs MonitorSpec.required_run (2) in a row",
    }
    usual, many = Population.of(8), Population.of(150)
    alarms = 0
    for window in WINDOWS:
        counts = measure(usual, window, 0.0, NULL_TRIALS, alpha, "unchanged")
        alarms += counts["any"]
        figures[f"false_alarm_rate_window_{window}"] = counts["any"] / NULL_TRIALS
        detail[f"unchanged, window {window}"] = dict(counts)
        print(f"window {window:5d}, unchanged: {counts['any']} of {NULL_TRIALS} windows called drift", flush=True)
    figures["false_alarm_rate"] = alarms / (NULL_TRIALS * len(WINDOWS))
    counts = measure(many, 300, 0.0, MANY_CLASSES_TRIALS, alpha, "many")
    figures["false_alarm_rate_150_classes_window_300"] = counts["any"] / MANY_CLASSES_TRIALS
    detail["unchanged, 150 classes, window 300"] = dict(counts)
    print(f"150 classes, window 300, unchanged: {counts['any']} of {MANY_CLASSES_TRIALS}", flush=True)
    for window in WINDOWS:
        for share in SHARES:
            counts = measure(usual, window, share, POWER_TRIALS, alpha, "foreign")
            figures[f"power_window_{window}_foreign_{round(share * 100)}_percent"] = counts["any"] / POWER_TRIALS
            detail[f"{share:.0%} foreign, window {window}"] = dict(counts)
            print(f"window {window:5d}, {share:4.0%} foreign: {counts['any'] / POWER_TRIALS:4.0%} seen", flush=True)
    detail["seconds"] = round(time.monotonic() - started, 1)
    print_figures(write_result("drift", COMMAND, figures, detail))
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
