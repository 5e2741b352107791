"""What the report says of any kind of task: its gate, its rivals, its predecessor, its training, its origin."""

from __future__ import annotations

from collections.abc import Mapping

from contracts.release import Comparison, GateVerdict
from training.evaluation.proportions import Interval
from training.kinds.kind import Figure, TaskKind
from training.learning.finetune import Epoch
from training.report.blocks import (
    Block,
    Cell,
    Chart,
    Prose,
    Section,
    Table,
    Tone,
    number_cell,
    share_cell,
    text_cell,
)
from training.report.charts import Series, line_chart
from training.report.story import Story

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


def gate_section(gate: tuple[GateVerdict, ...]) -> Section:
    """Each rule, what it asks and what was found."""
    rows = tuple(
        (
            text_cell(rule.name),
            number_cell(rule.expected),
            number_cell(rule.found),
            number_cell("passed" if rule.passed else "failed", "good" if rule.passed else "bad"),
        )
        for rule in gate
    )
    return Section("Gate", (Table(("Rule", "Expected#", "Found#", "#"), rows),), wide=False)


def alternatives_section(kind: TaskKind, figures: Mapping[str, float]) -> Section:
    """The main figure beside the baselines' and the float model's, and whether it beats the baselines."""
    rungs = [
        *((rival.title, figures[rival.name], True) for rival in kind.rivals),
        ("This model, fp32 in torch", figures[f"fp32_{kind.main.name}"], True),
        ("This model, as served (int8)", figures[kind.main.name], False),
    ]
    rows = tuple((Cell(title, "soft" if quiet else "", rail=value), share_cell(value)) for title, value, quiet in rungs)
    blocks: list[Block] = [Table(("", f"{kind.main.title}#"), rows)]
    blocks += [Prose(*_beats(kind, rival, figures)) for rival in reversed(kind.rivals)]
    return Section("Against the alternatives", tuple(blocks), wide=False)


def _beats(kind: TaskKind, rival: Figure, figures: Mapping[str, float]) -> tuple[str, Tone]:
    gain = f"beats_{rival.name.removesuffix(f'_{kind.main.name}')}_by"
    by = figures.get(gain, figures[kind.main.name] - figures[rival.name])
    if f"{gain}_low" not in figures:
        return f"{rival.title}: {100 * by:+.1f} points.", "good" if by > 0 else "bad"
    found = Interval(figures[f"{gain}_low"], figures[f"{gain}_high"])
    within = f"{100 * by:+.1f} points (95 % interval {100 * found.low:+.1f} to {100 * found.high:+.1f}, paired)"
    if not found.excludes_zero:
        return f"{rival.title}: no difference beyond chance, {within}.", "bad"
    if by > 0:
        return f"{rival.title}: beaten, by {within}.", "good"
    advice = "Train longer, or ask whether this task needs a neural model."
    return f"{rival.title}: not reached, by {within}. {advice}", "bad"


def comparison_section(comparison: Comparison) -> Section:
    """Champion and candidate, text by text."""
    champion = comparison.champion
    head = ("Texts", "Rows#", f"Release {champion}#", "This one#", f"Only {champion} right#", "Only this right#")
    rows = tuple(
        (
            text_cell(name),
            number_cell(f"{outcome.rows:,}"),
            share_cell(outcome.champion_accuracy),
            share_cell(outcome.candidate_accuracy, "good"),
            number_cell(f"{outcome.champion_only:,}"),
            number_cell(f"{outcome.candidate_only:,}"),
            number_cell(f"{outcome.both_wrong:,}"),
        )
        for name, outcome in (("Old test set", comparison.old_test), ("Fresh, held out", comparison.fresh))
    )
    return Section(f"Against release {champion}, text by text", (Table((*head, "Both wrong#"), rows),))


def training_sections(story: Story) -> list[Section]:
    """Loss and score by epoch."""
    learned = story.learned
    score_name = learned.model.objective.score_name
    epochs = [
        Epoch(number, epoch.train_loss, epoch.validation_loss, epoch.validation_score)
        for number, epoch in enumerate([*learned.epochs, *learned.recovery], start=1)
    ]
    losses = [
        Series("validation", "first", [(e.number, e.validation_loss) for e in epochs]),
        Series("training", "second", [(e.number, e.train_loss) for e in epochs]),
    ]
    scores = [Series(f"validation {score_name}", "first", [(e.number, e.validation_score) for e in epochs])]
    kept = (
        f"Pruned after epoch {len(learned.epochs)}, then recovered." if learned.recovery else "The best epoch is kept."
    )
    return [
        Section(
            "Loss by epoch",
            (Chart(line_chart(losses, x_label="epoch", percent=False), _legend(losses)),),
            wide=False,
        ),
        Section(
            f"Validation {score_name} by epoch",
            (Chart(line_chart(scores, x_label="epoch", percent=True), _legend(scores), kept),),
            wide=False,
        ),
    ]


def time_section(seconds: Mapping[str, float]) -> Section:
    """The stages of the run."""
    longest = max(seconds.values(), default=0.0) or 1.0
    rows = tuple(
        (Cell(_STAGES.get(name, name), rail=taken / longest), number_cell(f"{taken:.1f} s"))
        for name, taken in seconds.items()
    )
    return Section("Where the time went", (Table(("", "#"), rows),), wide=False)


def origin_section(story: Story) -> Section:
    """Everything that would be needed to make it again."""
    rows = tuple((text_cell(name, "soft"), text_cell(value)) for name, value in _origin(story))
    return Section("Where it comes from", (Table((), rows),), wide=False)


def _origin(story: Story) -> list[tuple[str, str]]:
    lineage, dataset, pruning = story.manifest.lineage, story.dataset, story.learned.pruning
    told = [
        ("Base model", f"{lineage.base_model}, sha256 {lineage.base_sha256[:16]}.."),
        ("Data", f"fingerprint {lineage.data_fingerprint[:16]}.."),
        ("Rows", f"{len(dataset.train)} train, {len(dataset.validation)} validation, {len(dataset.test)} test"),
        ("Quantization", f"int8, weights per channel, activations by validation texts, {story.scheme}"),
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


def _legend(series: list[Series]) -> tuple[tuple[str, str], ...]:
    return tuple((one.style, one.name) for one in series)
