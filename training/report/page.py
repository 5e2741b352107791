"""`report.html`: the story of a release for people, in one file that needs no network."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from training.kinds.kind import Figure, TaskKind
from training.kinds.kinds import kind_of
from training.report.analysis_sections import analysis_sections
from training.report.blocks import Chart, Prose, Section, Table, percent
from training.report.cautions import cautions_of
from training.report.classification_sections import classification_sections
from training.report.data_section import data_section
from training.report.general_sections import (
    alternatives_section,
    comparison_section,
    gate_section,
    origin_section,
    time_section,
    training_sections,
)
from training.report.story import Story


@dataclass(frozen=True)
class Tile:
    """A figure at the head of the page."""

    name: str
    value: str
    detail: str = ""


def report_html(story: Story) -> str:
    """A whole page: figures, gate, what the kind of task has to say, training, lineage. Follows light and dark."""
    manifest, kind = story.manifest, kind_of(story.manifest.spec)
    return render_page(
        title=manifest.task,
        subtitle=_subtitle(story, kind),
        tiles=_tiles(kind, manifest.metrics),
        warnings=cautions_of(story, kind),
        sections=_sections(story, kind),
    )


def render_page(*, title: str, subtitle: str, tiles: list[Tile], warnings: list[str], sections: list[Section]) -> str:
    """Lay the sections out; every text in them is escaped, but for the pictures."""
    environment = Environment(
        loader=FileSystemLoader(Path(__file__).parent), autoescape=True, undefined=StrictUndefined, trim_blocks=False
    )
    kinds = {Table: "table", Chart: "chart", Prose: "prose"}
    return environment.get_template("page.html.j2").render(
        title=title,
        subtitle=subtitle,
        tiles=tiles,
        warnings=warnings,
        sections=sections,
        kind_of=lambda block: kinds[type(block)],
    )


def _sections(story: Story, kind: TaskKind) -> list[Section]:
    manifest, measured = story.manifest, story.measured
    sections = [gate_section(manifest.gate), alternatives_section(kind, manifest.metrics)]
    if manifest.comparison is not None:
        sections.append(comparison_section(manifest.comparison))
    if measured.evaluation is not None:
        sections += classification_sections(measured.evaluation, manifest.temperature)
    if measured.analysis is not None:
        sections += analysis_sections(measured.analysis)
    sections += measured.sections
    sections.append(data_section(story.profile))
    if story.study is not None:
        sections.append(story.study)
    return [*sections, *training_sections(story), time_section(story.seconds), origin_section(story)]


def _subtitle(story: Story, kind: TaskKind) -> str:
    manifest = story.manifest
    made = f"{datetime.fromtimestamp(manifest.created, UTC):%Y-%m-%d %H:%M} UTC from {manifest.lineage.base_model}"
    parent = f", as successor of release {manifest.lineage.parent}" if manifest.lineage.parent else ""
    labels = f" with {len(manifest.labels)} labels" if kind.own_labels else ""
    return (
        f"{manifest.kind.capitalize()}{labels}, trained {made}{parent}. All figures are of the int8 artefact that is "
        f"served, on {story.measured.rows:,} test rows."
    )


def _tiles(kind: TaskKind, figures: Mapping[str, float]) -> list[Tile]:
    return [
        *(_tile(figure, figures) for figure in kind.tiles),
        Tile("lost by quantization", f"{100 * figures['quantization_drop']:.2f} pts"),
        Tile("model size", f"{figures['size_mb']:.1f} MB"),
        Tile("one text, median", f"{figures['latency_p50_ms']:.2f} ms", "one core"),
        Tile("texts a second", f"{figures['texts_per_second']:,.0f}", "one core"),
    ]


def _tile(figure: Figure, figures: Mapping[str, float]) -> Tile:
    low, high = figures.get(f"{figure.name}_low"), figures.get(f"{figure.name}_high")
    detail = f"95 %: {100 * low:.1f} to {100 * high:.1f}" if low is not None and high is not None else ""
    return Tile(figure.title, percent(figures[figure.name]), detail)
