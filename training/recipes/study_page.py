"""A study for people: what was tried, what it reached, and how each setting bears on it, in one HTML file."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from training.recipes.study_charts import TITLES, course_chart, setting_chart
from training.recipes.trials import Tried, best_of

_ROWS = 50


@dataclass(frozen=True)
class _Chart:
    title: str
    picture: str  # SVG, its texts escaped


def study_html(task: str, score: str, tried: Sequence[Tried], toml: str) -> str:
    """A whole page without network: the best settings, the course of the study, each setting, the best trials.

    `score` is what the values are of, such as `accuracy`; `toml` the best settings as they go into a task file.
    """
    environment = Environment(
        loader=FileSystemLoader(Path(__file__).parent), autoescape=True, undefined=StrictUndefined, trim_blocks=True
    )
    valued = sorted(
        (one for one in tried if one.value is not None),
        key=lambda one: (one.state == "complete", one.value),
        reverse=True,
    )
    names = list(dict.fromkeys(name for one in tried for name in one.settings))
    return environment.get_template("study.html.j2").render(
        task=task,
        score=score,
        best=best_of(tried),
        counts={state: sum(one.state == state for one in tried) for state in ("complete", "pruned", "failed")},
        toml=toml,
        charts=_charts(tried, names, score),
        names=[(name, TITLES.get(name, name)) for name in names],
        rows=valued[:_ROWS],
        hidden=max(0, len(valued) - _ROWS),
        percent=lambda value: f"{100 * value:.2f} %",
        setting=lambda one, name: f"{one.settings[name]:.4g}" if name in one.settings else "",
    )


def _charts(tried: Sequence[Tried], names: Sequence[str], score: str) -> list[_Chart]:
    valued = [one for one in tried if one.value is not None]
    if not valued:
        return []
    course = _Chart("The course of the study", course_chart(valued, score))
    varied = [name for name in names if len({one.settings[name] for one in valued if name in one.settings}) > 1]
    return [course, *(_Chart(f"By {TITLES.get(name, name)}", setting_chart(valued, name, score)) for name in varied)]
