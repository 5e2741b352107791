"""`report.html`: the story of a release for people, in one file that needs no network."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from training.kinds.kind import TaskKind
from training.kinds.kinds import kind_of
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
    figures, kind = manifest.metrics, kind_of(manifest.spec)
    score_name = learned.model.objective.score_name
    return environment.get_template("page.html.j2").render(
        task=manifest.task,
        labels=manifest.labels,
        created=f"{datetime.fromtimestamp(manifest.created, UTC):%Y-%m-%d %H:%M} UTC",
        lineage=manifest.lineage,
        found=found,
        temperature=manifest.temperature,
        test_rows=story.measured.rows,
        score_name=score_name,
        tiles=_tiles(kind, figures),
        gate=manifest.gate,
        main=kind.main.title,
        ladder=_ladder(kind, figures),
        beats=_beats(kind, figures),
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
            [
                Series(
                    f"validation {learned.model.objective.score_name}",
                    "first",
                    [(e.number, e.validation_accuracy) for e in epochs],
                )
            ],
            x_label="epoch",
            percent=True,
        ),
        pruned_after=len(learned.epochs) if learned.recovery else None,
        reliability_chart=reliability_diagram(found.reliability) if found else None,
        confusions=found.confusions[:_PAIRS] if found else (),
        hidden_confusions=max(0, len(found.confusions) - _PAIRS) if found else 0,
        scores=sorted(found.labels if found else (), key=lambda score: (score.rows == 0, score.f1, score.label)),
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


def _tiles(kind: TaskKind, figures: dict[str, float]) -> list[_Tile]:
    return [
        *(_Tile(figure.title, _percent(figures[figure.name])) for figure in kind.tiles),
        _Tile("lost by quantization", _points(figures["quantization_drop"])),
        _Tile("model size", f"{figures['size_mb']:.1f} MB"),
        _Tile("one text, median, one core", f"{figures['latency_p50_ms']:.2f} ms"),
        _Tile("texts a second, one core", f"{figures['texts_per_second']:,.0f}"),
    ]


def _points(share: float) -> str:
    """A difference of accuracies, in percentage points."""
    return f"{100 * share:.2f} pts"


def _ladder(kind: TaskKind, figures: dict[str, float]) -> list[_Rung]:
    return [
        *(_Rung(rival.title, figures[rival.name], "quiet") for rival in kind.rivals),
        _Rung("This model, fp32 in torch", figures[f"fp32_{kind.main.name}"], "quiet"),
        _Rung("This model, as served (int8)", figures[kind.main.name], ""),
    ]


def _beats(kind: TaskKind, figures: dict[str, float]) -> str:
    rival = kind.rivals[-1]
    gain = figures[kind.main.name] - figures[rival.name]
    if gain > 0:
        return f"It beats {rival.title} by {_points(gain)}."
    told = f"It does not beat {rival.title} ({_points(gain)})"
    return f"{told}: train longer, or ask whether this task needs a neural model."


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
