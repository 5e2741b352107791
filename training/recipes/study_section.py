"""What a release's report tells of the study that its settings come from."""

from __future__ import annotations

from contracts.home import Home
from contracts.task import TaskSpec
from training.recipes.study_charts import course_chart
from training.recipes.trial_settings import applied
from training.recipes.trials import Tried, read_trials
from training.report.blocks import Chart, Section, percent

TRIALS_FILE = "trials.json"
_LEGEND = (("first", "complete, and the best so far"), ("second", "stopped early"))


def study_section(home: Home, spec: TaskSpec) -> Section | None:
    """The course of the task's study, where one of its complete trials had this very recipe; None otherwise."""
    found = read_trials(home.root / "studies" / spec.name / TRIALS_FILE)
    if found is None:
        return None
    score, tried = found
    source = next((one for one in tried if one.state == "complete" and _is_of(one, spec)), None)
    if source is None:
        return None
    note = (
        f"The settings are those of trial {source.number} of {len(tried)}, which reached "
        f"{percent(source.value or 0.0, 2)} validation {score}. Having been chosen by it, "
        "that figure flatters; those of the test set do not."
    )
    chart = Chart(course_chart([one for one in tried if one.value is not None], score), _LEGEND, note)
    return Section("Search for the recipe", (chart,))


def _is_of(one: Tried, spec: TaskSpec) -> bool:
    """Whether this trial's settings are the task's own."""
    return bool(one.settings) and applied(spec, one.settings) == spec
