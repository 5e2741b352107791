"""What somebody should know before using a release."""

from __future__ import annotations

from training.report.story import Story


def cautions_of(story: Story) -> list[str]:
    """What was found in the model, then what was found in the data, as sentences."""
    analysis = story.measured.analysis
    return [*(analysis.warnings if analysis else story.measured.warnings), *story.dataset.warnings]
