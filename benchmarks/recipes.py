"""What replaying a share of old data costs and saves, and what adaptation to unlabelled text is worth.

`python -m benchmarks.recipes` trains on the sample data (English messages, then Hinglish ones), measures the networks
as torch has them, and writes `benchmarks/results/recipes.json`.
"""

from __future__ import annotations

import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from rich.console import Console

from benchmarks.results_file import print_figures, write_result
from contracts.recipes import AdaptSpec
from contracts.reference import Floats
from contracts.task import DataSpec, ModelSpec, TaskSpec, TrainSpec
from demo.messages import INTENTS, Message, english, hinglish
from training.artefact.onnx_artefact import tokenize
from training.artefact.tokenizer import write_tokenizer
from training.data.rows import Row
from training.data.splits import make_dataset
from training.feasibility import check_feasible
from training.learning.classifier import torch_logits
from training.learning.learn import learn
from training.learning.network import Network
from training.progress import Progress
from training.recipes.replay import forgetting_risks, replay

OLD, FRESH, FEW, UNLABELLED, VALIDATION, TEST = 1500, 300, 60, 2000, 300, 1000  # messages
SHARE = 0.25
SPEC = TaskSpec(
    name="support",
    data=DataSpec(path="unused.csv"),
    model=ModelSpec(max_tokens=64),
    train=TrainSpec(epochs=3, patience=3),
    adapt=AdaptSpec(source="log", epochs=3),
)
LABELS = tuple(sorted(INTENTS))


@dataclass(frozen=True)
class Trained:
    """A network and the seconds that it took, adaptation left in."""

    network: Network
    seconds: float


def main() -> int:
    """Measure and write; always 0."""
    validation = rows([*english(VALIDATION // 2, seed=205), *hinglish(VALIDATION // 2, seed=206)], "validation")
    tests = {"english": rows(english(TEST, seed=202), "test"), "hinglish": rows(hinglish(TEST, seed=204), "test")}
    old, fresh = rows(english(OLD, seed=201), "old"), rows(hinglish(FRESH, seed=203), "fresh")
    champion = train(old, validation)
    risks = forgetting_risks(old, logits_of(champion.network, old), LABELS)
    both, few = [*old, *fresh], [*old, *fresh[:FEW]]
    measured = {row.text for row in (*validation, *tests["hinglish"])}
    texts = [text for message in hinglish(UNLABELLED, seed=207) if (text := message.text) not in measured]
    percent = round(100 * SHARE)
    found = {
        "champion": champion,
        "replay_100": train(both, validation),
        f"replay_{percent}_stratified": train(replay(both, old, SHARE, SPEC.train.seed), validation),
        f"replay_{percent}_at_risk": train(replay(both, old, SHARE, SPEC.train.seed, risks), validation),
        "replay_0": train(replay(both, old, 0.0, SPEC.train.seed), validation),
        "few_fresh_labels": train(few, validation),
        "few_fresh_labels_adapted": train(few, validation, texts),
    }
    figures: dict[str, float] = {}
    for name, trained in found.items():
        for language, test in tests.items():
            truth = [row.label for row in test]
            predicted = [LABELS[index] for index in logits_of(trained.network, test).argmax(axis=1)]
            figures[f"{name}_accuracy_{language}"] = round(float(np.mean(np.array(predicted) == np.array(truth))), 4)
        figures[f"{name}_seconds"] = round(trained.seconds, 1)
    counts = {"old": OLD, "fresh": FRESH, "few fresh": FEW, "unlabelled": len(set(texts)), "each test": TEST}
    detail = {"messages": counts, "spec": SPEC.model_dump(mode="json", include={"model", "train", "adapt"})}
    print_figures(write_result("recipes", "make bench-recipes", figures, detail))
    return 0


def rows(messages: Sequence[Message], file: str) -> list[Row]:
    """Each text once."""
    found = {message.text: Row(message.text, message.label, file, n) for n, message in enumerate(messages, start=1)}
    return list(found.values())


def train(learned: Sequence[Row], validation: Sequence[Row], texts: Sequence[str] = ()) -> Trained:
    """From the base model, adapted to the texts first where there are any."""
    base = check_feasible(SPEC)
    progress = Progress(Console(stderr=True))
    with tempfile.TemporaryDirectory(prefix="perennial-bench-") as name:
        tokenizer = write_tokenizer(base, Path(name) / "tokenizer.json", sample=[])
        started = time.perf_counter()
        found = learn(
            SPEC,
            base,
            make_dataset(learned, validation, validation),
            tokenizer,
            folder=Path(name),
            progress=progress,
            unlabelled=list(dict.fromkeys(texts)),
        )
        return Trained(found.model, time.perf_counter() - started)


def logits_of(network: Network, messages: Sequence[Row]) -> Floats:
    """[n, labels], in the order of the messages."""
    with tempfile.TemporaryDirectory(prefix="perennial-bench-") as name:
        tokenizer = write_tokenizer(check_feasible(SPEC), Path(name) / "tokenizer.json", sample=[])
    ids = tokenize(tokenizer, [row.text for row in messages], SPEC.model.max_tokens).ids
    return torch_logits(network, ids, advance=lambda _: None)


if __name__ == "__main__":
    sys.exit(main())
