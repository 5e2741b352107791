"""What a person writes with Hugging Face's `Trainer`: the other side of the comparison.

`python -m benchmarks.training.plain TASK.toml [--tuned] [--epochs N] [--rows N]` prints one JSON object. It reads the
task's data, base model, epochs, batch size, rate, warm-up, decay and seed. Everything else is as the `Trainer` has it,
evaluation after each epoch included. `--tuned` adds what its documentation says of speed: batches by length, bfloat16,
and the embeddings kept as they are.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
import torch
from datasets.arrow_dataset import Dataset as Table
from transformers import (
    AutoModelForSequenceClassification,
    AutoTokenizer,
    DataCollatorWithPadding,
    EvalPrediction,
    Trainer,
    TrainingArguments,
)

from contracts.task import TaskSpec, load_task
from training.data.dataset import load_dataset
from training.data.rows import Row
from training.learning.base_model import resolve


def main() -> None:
    """Train, and print samples, seconds, accuracy on validation, and the most memory that was held."""
    parser = argparse.ArgumentParser(description="Train with a plain Trainer script.")
    parser.add_argument("task", type=Path)
    parser.add_argument("--epochs", type=int)
    parser.add_argument("--rows", type=int)
    parser.add_argument("--tuned", action="store_true")
    options = parser.parse_args()
    spec = load_task(options.task, os.environ)
    print(json.dumps(train(spec, options.epochs or spec.train.epochs, options.rows, tuned=options.tuned)))


def train(spec: TaskSpec, epochs: int, rows: int | None, *, tuned: bool) -> dict[str, float]:
    """The script itself."""
    dataset = load_dataset(spec)
    folder = resolve(spec.model.base, max_tokens=spec.model.max_tokens).folder
    tokenizer = AutoTokenizer.from_pretrained(folder)
    model = AutoModelForSequenceClassification.from_pretrained(folder, num_labels=len(dataset.labels))
    numbers = {label: number for number, label in enumerate(dataset.labels)}

    def table(chosen: list[Row]) -> Any:
        found = tokenizer([row.text for row in chosen], truncation=True, max_length=spec.model.max_tokens)
        return Table.from_dict({**found, "labels": [numbers[row.label] for row in chosen]})

    if tuned:
        model.base_model.embeddings.requires_grad_(False)
    with tempfile.TemporaryDirectory() as output:
        trainer = Trainer(
            model=model,
            args=TrainingArguments(
                output_dir=output,
                num_train_epochs=epochs,
                per_device_train_batch_size=spec.train.batch_size,
                per_device_eval_batch_size=64,
                learning_rate=spec.train.learning_rate,
                warmup_ratio=spec.train.warmup_ratio,
                weight_decay=spec.train.weight_decay,
                seed=spec.train.seed,
                eval_strategy="epoch",
                save_strategy="no",
                report_to=[],
                disable_tqdm=True,
                use_cpu=not torch.cuda.is_available(),  # where the other side has a card, so has this one
                group_by_length=tuned,
                bf16=tuned,
            ),
            train_dataset=table(list(dataset.train)[:rows]),
            eval_dataset=table(list(dataset.validation)[:rows]),
            data_collator=DataCollatorWithPadding(tokenizer),
            processing_class=tokenizer,
            compute_metrics=_accuracy,
        )
        started = time.perf_counter()
        trainer.train()
        seconds = time.perf_counter() - started
        accuracy = trainer.evaluate()["eval_accuracy"]
    samples = len(list(dataset.train)[:rows]) * epochs
    return {
        "samples": samples,
        "seconds": seconds,
        "samples_per_second": samples / seconds,
        "validation_accuracy": accuracy,
        "peak_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
    }


def _accuracy(found: EvalPrediction) -> dict[str, float]:
    predicted = np.asarray(found.predictions).argmax(axis=-1)
    return {"accuracy": float((predicted == np.asarray(found.label_ids)).mean())}


if __name__ == "__main__":
    main()
