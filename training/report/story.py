"""All that is known of how a release came about: what `metrics.json` and `report.html` tell."""

from __future__ import annotations

import json
import re
from collections import Counter
from dataclasses import asdict, dataclass

from contracts.release import Manifest
from training.data.dataset import Dataset
from training.data.profile import Profile
from training.evaluation.bootstrap import intervals_content
from training.evaluation.evaluate import Evaluation
from training.kinds.kind import Measured
from training.learning.learn import Learned
from training.report.blocks import Section

_LARGEST_MATRIX = 200
# A list of numbers over several lines, to be put on one. No string of JSON holds a line end.
_NUMBERS = re.compile(r"\[\n([-\d.eE+,\s]+)\]")


@dataclass(frozen=True)
class Story:
    """One training, from its data to its verdict. `seconds` is by stage."""

    manifest: Manifest
    measured: Measured
    learned: Learned
    dataset: Dataset
    scheme: str
    seconds: dict[str, float]
    profile: Profile
    study: Section | None = None  # of the search that found the recipe


def metrics_json(story: Story) -> str:
    """Everything, for machines: the manifest's figures and what they were made of."""
    manifest, found, learned = story.manifest, story.measured.evaluation, story.learned
    content = {
        "metrics": manifest.metrics,
        "gate": [verdict.model_dump() for verdict in manifest.gate],
        "temperature": manifest.temperature,
        "comparison": manifest.comparison.model_dump() if manifest.comparison else None,
        **(_details(found) if found else {}),
        **(story.measured.analysis.details if story.measured.analysis else {}),
        **story.measured.details,
        "epochs": [asdict(epoch) for epoch in learned.epochs],
        "recovery_epochs": [asdict(epoch) for epoch in learned.recovery],
        "pruning": asdict(learned.pruning) if learned.pruning else None,
        "learned_rows": learned.rows,
        "adaptation": asdict(learned.adaptation) if learned.adaptation else None,
        "quantization": story.scheme,
        "parameters": sum(parameter.numel() for parameter in learned.model.parameters()),
        "data": {
            "fingerprint": story.dataset.fingerprint,
            "train": len(story.dataset.train),
            "validation": len(story.dataset.validation),
            "test": len(story.dataset.test),
            "train_rows_by_label": dict(sorted(Counter(row.label for row in story.dataset.train).items())),
            "warnings": list(story.dataset.warnings),
            "profile": story.profile.content(),
        },
        "seconds": {name: round(taken, 3) for name, taken in story.seconds.items()},
    }
    written = json.dumps(content, ensure_ascii=False, indent=2, allow_nan=False)
    return _NUMBERS.sub(lambda found: f"[{' '.join(found[1].split())}]", written) + "\n"


def _details(found: Evaluation) -> dict[str, object]:
    return {
        "averages": {name: asdict(getattr(found, name)) for name in ("macro", "micro", "weighted")},
        "intervals": intervals_content({"accuracy": found.accuracy_estimate, "macro_f1": found.macro_f1_estimate}),
        "labels": [asdict(score) for score in found.labels],
        "confusions": [asdict(confusion) for confusion in found.confusions],
        "confusion_matrix": _matrix(found),
        "reliability": [asdict(entry) for entry in found.reliability],
        "reliability_uncalibrated": [asdict(entry) for entry in found.reliability_uncalibrated],
        "curves": {
            "roc": [asdict(curve) for curve in found.curves.roc],
            "precision_recall": [asdict(curve) for curve in found.curves.precision_recall],
        },
    }


def _matrix(found: Evaluation) -> list[list[int]] | None:
    """Rows are true labels, columns answers; None where it would be mostly zeros: `confusions` says it shorter."""
    if len(found.labels) > _LARGEST_MATRIX:
        return None
    position = {score.label: number for number, score in enumerate(found.labels)}
    matrix = [[0] * len(position) for _ in position]
    for score in found.labels:
        matrix[position[score.label]][position[score.label]] = score.right
    for pair in found.confusions:
        matrix[position[pair.truth]][position[pair.predicted]] = pair.rows
    return matrix
