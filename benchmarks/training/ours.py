"""The same training as Perennial does it: the learning alone, from token ids to the best epoch's weights.

`python -m benchmarks.training.ours TASK.toml [--epochs N] [--rows N]` prints one JSON object, as `plain` does. The
seconds hold what those of `plain` hold: batches, steps, evaluation after each epoch; and the checkpoints, which it
does not write.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import tempfile
import time
from pathlib import Path

from rich.console import Console

from contracts.task import TaskSpec, load_task


def main() -> None:
    """Train, and print samples, seconds, accuracy on validation, and the most memory that was held, on a card too."""
    parser = argparse.ArgumentParser(description="Train as `perennial train` does.")
    parser.add_argument("task", type=Path)
    parser.add_argument("--epochs", type=int)
    parser.add_argument("--rows", type=int)
    options = parser.parse_args()
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")  # as `perennial train` does
    spec = load_task(options.task, os.environ)
    print(json.dumps(train(spec, options.epochs or spec.train.epochs, options.rows)))


def train(spec: TaskSpec, epochs: int, rows: int | None) -> dict[str, float]:
    """The steps of `training.learning.learn`, timed from where the token ids are there."""
    # Here, because these load torch, before which `main` has a setting to make.
    import torch

    from training.artefact.tokenizer import write_tokenizer
    from training.data.dataset import load_dataset
    from training.kinds.kinds import kind_of
    from training.learning.base_model import resolve
    from training.learning.classifier import freeze_layers
    from training.learning.finetune import fine_tune
    from training.progress import Stage

    dataset = load_dataset(spec)
    base = resolve(spec.model.base, max_tokens=spec.model.max_tokens)
    kind = kind_of(spec)
    with tempfile.TemporaryDirectory() as output:
        tokenizer = write_tokenizer(base, Path(output) / "tokenizer.json", sample=[])
        labels = kind.labels(dataset)
        train_rows, validation_rows = list(dataset.train)[:rows], list(dataset.validation)[:rows]
        encoded = [kind.encode(chosen, labels, tokenizer, spec) for chosen in (train_rows, validation_rows)]
        model = kind.build(base, dataset, spec)
        freeze_layers(model, embeddings=spec.model.freeze_embeddings, layers=spec.model.freeze_layers)
        recipe = spec.train.model_copy(update={"epochs": epochs})
        started = time.perf_counter()
        quiet = Stage(Console(stderr=True), None, None)
        found = fine_tune(model, encoded[0], encoded[1], recipe, folder=Path(output), stage=quiet)
        seconds = time.perf_counter() - started
    samples = len(train_rows) * len(found)
    card = {"card_peak_mb": torch.cuda.max_memory_allocated() / 2**20} if torch.cuda.is_available() else {}
    return {
        "samples": samples,
        "seconds": seconds,
        "samples_per_second": samples / seconds,
        "validation_accuracy": max(epoch.validation_score for epoch in found),
        "peak_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
        **card,
    }


if __name__ == "__main__":
    main()
