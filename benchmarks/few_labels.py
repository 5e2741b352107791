"""The contrastive recipe beside plain fine-tuning on banking77 with 8 texts a label, and both after adaptation.

`python -m benchmarks.few_labels` (set PERENNIAL_DATA) draws 8 texts a label to train on and 2 to validate, releases
each recipe's int8 artefact, measures it on the whole test set, and writes `benchmarks/results/few_labels.json`.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import sys
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from benchmarks.results_file import print_figures, write_result
from contracts.errors import PerennialError
from contracts.home import Home
from contracts.recipes import AdaptSpec
from contracts.release import METRICS_FILE, Manifest
from contracts.task import DataSpec, GateSpec, TaskSpec, TrainSpec, load_task

TASK = Path("tasks/banking77.toml")
TEXTS, VALIDATION_TEXTS = 8, 2  # a label
# The better of two learning rates that were tried; 1e-3 was worse. Fewer epochs are worse too.
PLAIN = TrainSpec(epochs=20, batch_size=16, learning_rate=3e-4, patience=20)
CONTRASTIVE = TrainSpec(recipe="contrastive", epochs=4, batch_size=64, learning_rate=1e-4, patience=4)
RECIPES = {"plain": PLAIN, "contrastive": CONTRASTIVE}


@dataclass(frozen=True)
class Trained:
    """What one training gave and cost."""

    accuracy: float
    seconds: float


def main() -> int:
    """0 when all were measured; 1 with the reason otherwise."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--draws", type=int, default=2, help="how often the texts are drawn anew (default: 2)")
    parser.add_argument("--adapt-epochs", type=int, default=0, help="also after so many epochs on all training texts")
    options = parser.parse_args()
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")  # as `perennial train` does
    found: dict[str, list[Trained]] = {}
    try:
        task = load_task(TASK, os.environ)
        for draw in range(options.draws):
            for name, trained in measure(task, draw, options.adapt_epochs).items():
                found.setdefault(name, []).append(trained)
            path = record(found)  # of every draw, so that a run which is stopped leaves what it has
    except PerennialError as error:
        sys.stderr.write(f"error: {error}\n")
        return 1
    print_figures(path)
    return 0


def record(found: Mapping[str, Sequence[Trained]]) -> Path:
    """Write means over the draws."""
    figures: dict[str, float] = {}
    for name, runs in found.items():
        figures[f"banking77_8_texts_{name}_accuracy_int8"] = round(sum(run.accuracy for run in runs) / len(runs), 4)
        figures[f"banking77_8_texts_{name}_learning_seconds"] = round(sum(run.seconds for run in runs) / len(runs), 1)
    detail = {
        "texts a label": {"train": TEXTS, "validation": VALIDATION_TEXTS},
        "recipes": {name: recipe.model_dump(mode="json") for name, recipe in RECIPES.items()},
        "runs": {
            name: [[round(run.accuracy, 4), round(run.seconds, 1)] for run in runs] for name, runs in found.items()
        },
    }
    return write_result("few_labels", "make bench-few-labels", figures, detail)


def measure(task: TaskSpec, draw: int, adapt_epochs: int) -> dict[str, Trained]:
    """Each recipe's training on the texts of one draw."""
    from training.data.dataset import load_dataset

    rows = [(row.text, row.label) for row in load_dataset(task).train]
    found: dict[str, Trained] = {}
    with tempfile.TemporaryDirectory(prefix="perennial-bench-") as name:
        folder = Path(name)
        train, validation = few_of_each(rows, (TEXTS, VALIDATION_TEXTS), seed=draw)
        unlabelled = folder / "unlabelled.txt"
        unlabelled.write_text("".join(text.replace("\n", " ") + "\n" for text, _ in rows), encoding="utf-8")
        data = DataSpec(
            train=str(write_rows(folder / "train.jsonl", train)),
            validation=str(write_rows(folder / "validation.jsonl", validation)),
            test=task.data.test,
        )
        for recipe_name, recipe in RECIPES.items():
            spec = task.model_copy(update={"data": data, "train": recipe, "gate": GateSpec(max_quantization_drop=1)})
            found[recipe_name] = train_once(Home(folder / recipe_name), spec)
            if adapt_epochs:
                adapted = spec.model_copy(update={"adapt": AdaptSpec(source=str(unlabelled), epochs=adapt_epochs)})
                found[f"{recipe_name}_adapted"] = train_once(Home(folder / f"{recipe_name}-adapted"), adapted)
    return found


def train_once(home: Home, spec: TaskSpec) -> Trained:
    """Release once, in a home of its own."""
    from training.pipeline import train

    return trained_of(home, train(home, spec))


def trained_of(home: Home, manifest: Manifest) -> Trained:
    """What the release says of itself; the seconds are of learning alone, adaptation included."""
    told = json.loads((home.release(manifest.task, manifest.version) / METRICS_FILE).read_text(encoding="utf-8"))
    seconds = told["seconds"]
    return Trained(manifest.metrics["accuracy"], seconds["train"] + seconds.get("adapt", 0.0))


def few_of_each(rows: Sequence[tuple[str, str]], counts: Sequence[int], *, seed: int) -> list[list[tuple[str, str]]]:
    """As many parts as there are counts, each with so many texts of every label, no text in two of them."""
    rng = random.Random(seed)
    by_label: dict[str, list[tuple[str, str]]] = {}
    for text, label in rows:
        by_label.setdefault(label, []).append((text, label))
    parts: list[list[tuple[str, str]]] = [[] for _ in counts]
    for label in sorted(by_label):
        drawn = rng.sample(by_label[label], sum(counts))
        for part, count in zip(parts, counts, strict=True):
            part += [drawn.pop() for _ in range(count)]
    return parts


def write_rows(path: Path, rows: Sequence[tuple[str, str]]) -> Path:
    """As JSONL."""
    lines = [json.dumps({"text": text, "label": label}, ensure_ascii=False) + "\n" for text, label in rows]
    path.write_text("".join(lines), encoding="utf-8")
    return path


if __name__ == "__main__":
    sys.exit(main())
