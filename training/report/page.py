"""`report.html`: the story of a release for people, in one file that needs no network."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from training.learning.finetune import Epoch
from training.report.charts import Series, line_chart, reliability_diagram
from training.report.story import Story

_PAIRS = 12
_STAGES = {
    "data": "Reading the data",
    "tokenize": "Tokenizing",
    "train": "Fine-tuning",
    "prune": "Pruning",
    "recover": "Recovering from pruning",
    "export": "Exporting to ONNX",
    "quantize": "Quantizing",
    "evaluate": "Evaluating",
    "speed": "Measuring speed",
    "floors": "Training the baselines",
    "compare": "Comparing with the champion",
}


@dataclass(frozen=True)
class _Tile:
    name: str
    value: str


@dataclass(frozen=True)
class _Rung:
    name: str
    value: float
    style: str


@dataclass(frozen=True)
class _StageShare:
    name: str
    share: float
    seconds: str


def report_html(story: Story) -> str:
    """A whole page: figures, gate, curves, calibration, confusions, labels, lineage. Follows light and dark."""
    environment = Environment(
        loader=FileSystemLoader(Path(__file__).parent), autoescape=True, undefined=StrictUndefined, trim_blocks=False
    )
    manifest, found, learned = story.manifest, story.measured.evaluation, story.learned
    epochs = _numbered(learned.epochs, learned.recovery)
    figures = manifest.metrics
    return environment.get_template("page.html.j2").render(
        task=manifest.task,
        labels=manifest.labels,
        created=f"{datetime.fromtimestamp(manifest.created, UTC):%Y-%m-%d %H:%M} UTC",
        lineage=manifest.lineage,
        found=found,
        temperature=manifest.temperature,
        tiles=_tiles(figures),
        gate=manifest.gate,
        ladder=_ladder(figures),
        beats=_beats(figures["beats_tfidf_by"]),
        comparison=manifest.comparison,
        loss_chart=line_chart(
            [
                Series("training loss", "second", [(e.number, e.train_loss) for e in epochs]),
                Series("validation loss", "first", [(e.number, e.validation_loss) for e in epochs]),
            ],
            x_label="epoch",
            percent=False,
        ),
        accuracy_chart=line_chart(
            [Series("validation accuracy", "first", [(e.number, e.validation_accuracy) for e in epochs])],
            x_label="epoch",
            percent=True,
        ),
        pruned_after=len(learned.epochs) if learned.recovery else None,
        reliability_chart=reliability_diagram(found.reliability),
        confusions=found.confusions[:_PAIRS],
        hidden_confusions=max(0, len(found.confusions) - _PAIRS),
        scores=sorted(found.labels, key=lambda score: (score.rows == 0, score.f1, score.label)),
        origin=_origin(story),
        stages=_stages(story.seconds),
        warnings=story.dataset.warnings,
        percent=_percent,
    )


def _percent(value: float) -> str:
    return f"{100 * value:.1f} %"


def _numbered(epochs: tuple[Epoch, ...], recovery: tuple[Epoch, ...]) -> list[Epoch]:
    """Fine-tuning and recovery as one run of epochs."""
    return [
        Epoch(number, epoch.train_loss, epoch.validation_loss, epoch.validation_accuracy)
        for number, epoch in enumerate([*epochs, *recovery], start=1)
    ]


def _tiles(figures: dict[str, float]) -> list[_Tile]:
    return [
        _Tile("accuracy", _percent(figures["accuracy"])),
        _Tile("macro F1", _percent(figures["macro_f1"])),
        _Tile("lost by quantization", _points(figures["quantization_drop"])),
        _Tile("model size", f"{figures['size_mb']:.1f} MB"),
        _Tile("one text, median, one core", f"{figures['latency_p50_ms']:.2f} ms"),
        _Tile("texts a second, one core", f"{figures['texts_per_second']:,.0f}"),
    ]


def _points(share: float) -> str:
    """A difference of accuracies, in percentage points."""
    return f"{100 * share:.2f} pts"


def _ladder(figures: dict[str, float]) -> list[_Rung]:
    return [
        _Rung("Always the most frequent label", figures["majority_accuracy"], "quiet"),
        _Rung("TF-IDF and logistic regression", figures["tfidf_accuracy"], "quiet"),
        _Rung("This model, fp32 in torch", figures["fp32_accuracy"], "quiet"),
        _Rung("This model, as served (int8)", figures["accuracy"], ""),
    ]


def _beats(gain: float) -> str:
    if gain > 0:
        return f"It beats TF-IDF by {_points(gain)}."
    return f"It does not beat TF-IDF ({_points(gain)}): train longer, or ask whether this task needs a neural model."


def _origin(story: Story) -> list[tuple[str, str]]:
    lineage, dataset, pruning = story.manifest.lineage, story.dataset, story.learned.pruning
    told = [
        ("Base model", f"{lineage.base_model}, sha256 {lineage.base_sha256[:16]}.."),
        ("Data", f"fingerprint {lineage.data_fingerprint[:16]}.."),
        ("Rows", f"{len(dataset.train)} train, {len(dataset.validation)} validation, {len(dataset.test)} test"),
        ("Quantization", f"dynamic int8, per channel, {story.scheme}"),
        ("Seed", str(lineage.seed)),
        ("Longest text", f"{story.manifest.max_tokens} tokens"),
    ]
    if pruning is not None:
        width = f"feed-forward width {pruning.ffn_columns_before} to {pruning.ffn_columns_after}"
        told.append(("Pruning", f"{len(pruning.dropped_layers)} layers dropped; {width}"))
    if lineage.request_id is not None:
        told.append(("Retrain request", lineage.request_id))
    if lineage.commit is not None:
        told.append(("Commit", lineage.commit[:12]))
    told.append(("Made with", ", ".join(f"{name} {found}" for name, found in lineage.versions.items())))
    return told


def _stages(seconds: dict[str, float]) -> list[_StageShare]:
    longest = max(seconds.values(), default=0.0) or 1.0
    return [_StageShare(_STAGES.get(name, name), taken / longest, f"{taken:.1f} s") for name, taken in seconds.items()]
