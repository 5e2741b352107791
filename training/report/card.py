"""`MODEL_CARD.md`: the release in the Hub's form, Markdown under YAML that the Hub and its libraries read."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import PurePath

from huggingface_hub import EvalResult, ModelCardData

from contracts.release import Manifest
from training.kinds.kind import Figure, TaskKind
from training.kinds.kinds import kind_of
from training.learning.base_model import BUNDLED_NAMES
from training.report.blocks import percent
from training.report.cautions import better_rivals
from training.report.story import Story

_LABELS = 200
_CLOSED_WORLD = "It knows the labels above and no others: a text of none of them gets one all the same."
# The Hub's names of what a model does, where they differ from ours.
_PIPELINES = {"classification": "text-classification", "similarity": "sentence-similarity"}
_METRICS = {"accuracy": "accuracy", "macro_f1": "f1", "auc_roc": "roc_auc", "f1": "f1", "exact_match": "exact_match"}
_MARKUP = re.compile(r"([\\`*_{}\[\]<>#|~$&])")
_LINES = re.compile(r"\s+")


def model_card(story: Story) -> str:
    """What it is, how to use it, how good it is, where it falls short and where it comes from. No text of the data."""
    manifest, kind = story.manifest, kind_of(story.manifest.spec)
    parts = [
        f"---\n{_front_matter(story, kind)}\n---\n",
        f"# {plain(manifest.task)}\n",
        _introduction(manifest, kind),
        "## Use\n",
        _use(manifest, kind),
        "## Evaluation\n",
        f"On {story.measured.rows:,} test rows that it has not seen, by the int8 artefact as it is served. "
        "Intervals are at 95 %, of gains paired. `report.html` and `metrics.json` beside this file say more.\n",
        _figures(kind, manifest.metrics),
        "## Limits\n",
        _limits(story, kind),
        "## Training\n",
        _training(story),
    ]
    return "\n".join(parts)


def plain(text: str) -> str:
    """Text that Markdown and HTML leave as it is, on one line."""
    return _LINES.sub(" ", _MARKUP.sub(r"\\\1", text))


def _front_matter(story: Story, kind: TaskKind) -> str:
    manifest = story.manifest
    hub_task = _PIPELINES.get(manifest.kind, manifest.kind)
    shown = {figure.name: figure for figure in (kind.main, *kind.tiles)}
    results = [
        EvalResult(
            task_type=hub_task,
            dataset_type=manifest.task,
            dataset_name=manifest.task,
            dataset_split="test",
            metric_type=_METRICS.get(name, name),
            metric_name=figure.title,
            metric_value=round(manifest.metrics[name], 6),
        )
        for name, figure in shown.items()
    ]
    data = ModelCardData(
        base_model=_hub_name(manifest.lineage.base_model),
        library_name="onnx",
        pipeline_tag=hub_task,
        tags=["perennial", "onnx", "int8", manifest.kind],
        metrics=sorted({_METRICS.get(name, name) for name in shown}),
        model_name=manifest.task,
        eval_results=results,
        ignore_metadata_errors=False,
    )
    written: str = data.to_yaml()
    return written.strip()


def _hub_name(base: str) -> str | None:
    """Under which name the Hub knows the base model; None for a folder, which the Hub does not."""
    if base in BUNDLED_NAMES:
        return BUNDLED_NAMES[-1]
    return base if re.fullmatch(r"[\w.-]+/[\w.-]+", base) else None


def _base_name(base: str) -> str:
    """As people call it: of a folder its name, not where it lies on the machine that trained."""
    return _hub_name(base) or PurePath(base).name


def _introduction(manifest: Manifest, kind: TaskKind) -> str:
    names = ", ".join(plain(label) for label in manifest.labels[:_LABELS])
    more = f", and {len(manifest.labels) - _LABELS} more" if len(manifest.labels) > _LABELS else ""
    made = f"{datetime.fromtimestamp(manifest.created, UTC):%Y-%m-%d}"
    base = plain(_base_name(manifest.lineage.base_model))
    return (
        f"A model for {plain(manifest.kind)}, fine-tuned from {base} and quantized to int8 ONNX on {made}. "
        f"It reads up to {manifest.max_tokens} tokens of a text.\n"
        + (f"\n{len(manifest.labels)} labels: {names}{more}.\n" if kind.own_labels else "")
    )


def _use(manifest: Manifest, kind: TaskKind) -> str:
    inputs = ["`input_ids`", "`attention_mask`", *(["`token_type_ids`"] if manifest.token_type_ids else [])]
    logits = (
        "the labels in the order of the logits; scores of one label a text are softmax(logits / "
        f"{manifest.temperature:.4f})."
    )
    return (
        f"`perennial serve` answers at `/v1/models/{manifest.task}:predict`. Without it: `tokenizer.json` is read by "
        f"`tokenizers`, and its tokens are cut to {manifest.max_tokens}; `model.onnx` is run by onnxruntime with its "
        f"usual optimizations, on int64 [texts, tokens] {', '.join(inputs)}; and `manifest.json` holds "
        f"{logits if kind.own_labels else 'what its outputs are to be read with.'}\n"
    )


def _figures(kind: TaskKind, metrics: Mapping[str, float]) -> str:
    shown = {figure.name: figure for figure in (kind.main, *kind.tiles)}
    rows = [_figure_row(figure, metrics) for figure in shown.values()]
    rows += [(name, f"{metrics[key]:.4f}", "") for name, key in _MORE if key in metrics]
    rows += [(rival.title, percent(metrics[rival.name]), _gain(kind, rival, metrics)) for rival in kind.rivals]
    rows.append(("Lost by quantization", f"{100 * metrics['quantization_drop']:.2f} points", ""))
    return _table(("", "Found", "95 % interval"), rows)


_MORE = (
    ("AUC-ROC, one against the rest", "auc_roc"),
    ("Brier score", "brier"),
    ("Expected calibration error", "ece"),
)


def _figure_row(figure: Figure, metrics: Mapping[str, float]) -> tuple[str, str, str]:
    low, high = metrics.get(f"{figure.name}_low"), metrics.get(f"{figure.name}_high")
    within = f"{100 * low:.1f} to {percent(high)}" if low is not None and high is not None else ""
    return figure.title, percent(metrics[figure.name]), within


def _gain(kind: TaskKind, rival: Figure, metrics: Mapping[str, float]) -> str:
    by = f"beats_{rival.name.removesuffix(f'_{kind.main.name}')}_by"
    if f"{by}_low" not in metrics:
        return ""
    return f"this model's gain: {100 * metrics[f'{by}_low']:+.1f} to {100 * metrics[f'{by}_high']:+.1f} points"


def _limits(story: Story, kind: TaskKind) -> str:
    analysis, evaluation = story.measured.analysis, story.measured.evaluation
    untested = [score.label for score in evaluation.labels if not score.rows] if evaluation else []
    told = [
        *better_rivals(kind, story.manifest.metrics),
        *(analysis.warnings if analysis else story.measured.warnings),
        *([f"Labels that no test row has: {', '.join(untested)}."] if untested else []),
        *([_CLOSED_WORLD] if evaluation else []),
    ]
    return "".join(f"- {plain(caution)}\n" for caution in told) or "None was looked for beyond the figures above.\n"


def _training(story: Story) -> str:
    lineage, dataset, recipe = story.manifest.lineage, story.dataset, story.manifest.spec.train
    rows = [
        ("Rows", f"{len(dataset.train):,} train, {len(dataset.validation):,} validation, {len(dataset.test):,} test"),
        ("Data", f"fingerprint {lineage.data_fingerprint}"),
        ("Base model", f"sha256 {lineage.base_sha256}"),
        ("Recipe", f"{recipe.epochs} epochs at most, batches of {recipe.batch_size}, rate {recipe.learning_rate:g}"),
        ("Seed", str(lineage.seed)),
        ("Quantization", f"int8, weights per channel, activations by validation texts, {story.scheme}"),
        ("Made with", ", ".join(f"{name} {version}" for name, version in lineage.versions.items())),
    ]
    return _table(("", ""), rows)


def _table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = [head, ["---"] * len(head), *([plain(cell) for cell in row] for row in rows)]
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)
