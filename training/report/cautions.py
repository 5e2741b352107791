"""What somebody should know before using a release."""

from __future__ import annotations

from collections.abc import Mapping

from training.kinds.kind import TaskKind
from training.report.blocks import percent
from training.report.story import Story


def cautions_of(story: Story, kind: TaskKind) -> list[str]:
    """What does better than the model, what was found in the model, then in the data, as sentences."""
    analysis = story.measured.analysis
    return [
        *better_rivals(kind, story.manifest.metrics),
        *(analysis.warnings if analysis else story.measured.warnings),
        *story.dataset.warnings,
    ]


def better_rivals(kind: TaskKind, figures: Mapping[str, float]) -> list[str]:
    """A sentence for each baseline that beats the model by more than chance."""
    main = kind.main
    return [
        f"A simpler way does better, by more than chance: {rival.title}, {main.title} {percent(figures[rival.name])} "
        f"against {percent(figures[main.name])} of this model."
        for rival in kind.rivals
        if figures.get(f"beats_{rival.name.removesuffix(f'_{main.name}')}_by_high", 0.0) < 0
    ]
