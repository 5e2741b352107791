"""All that is known of how a release came about: what `metrics.json` and `report.html` tell."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import asdict, dataclass

from contracts.release import Manifest
from training.data.dataset import Dataset
from training.kinds.classification import Measured
from training.learning.learn import Learned


@dataclass(frozen=True)
class Story:
    """One training, from its data to its verdict. `seconds` is by stage."""

    manifest: Manifest
    measured: Measured
    learned: Learned
    dataset: Dataset
    scheme: str
    seconds: dict[str, float]


def metrics_json(story: Story) -> str:
    """Everything, for machines: the manifest's figures and what they were made of."""
    manifest, found, learned = story.manifest, story.measured.evaluation, story.learned
    content = {
        "metrics": manifest.metrics,
        "gate": [verdict.model_dump() for verdict in manifest.gate],
        "temperature": manifest.temperature,
        "comparison": manifest.comparison.model_dump() if manifest.comparison else None,
        "labels": [asdict(score) for score in found.labels],
        "confusions": [asdict(confusion) for confusion in found.confusions],
        "reliability": [asdict(entry) for entry in found.reliability],
        "epochs": [asdict(epoch) for epoch in learned.epochs],
        "recovery_epochs": [asdict(epoch) for epoch in learned.recovery],
        "pruning": asdict(learned.pruning) if learned.pruning else None,
        "quantization": story.scheme,
        "parameters": sum(parameter.numel() for parameter in learned.model.parameters()),
        "data": {
            "fingerprint": story.dataset.fingerprint,
            "train": len(story.dataset.train),
            "validation": len(story.dataset.validation),
            "test": len(story.dataset.test),
            "train_rows_by_label": dict(sorted(Counter(row.label for row in story.dataset.train).items())),
            "warnings": list(story.dataset.warnings),
        },
        "seconds": {name: round(taken, 3) for name, taken in story.seconds.items()},
    }
    return json.dumps(content, ensure_ascii=False, indent=2, allow_nan=False) + "\n"
