"""A study for people: what was tried, what it reached, and how each setting bears on it, in one HTML file."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import escape

from training.recipes.trials import Tried, best_of
from training.report.svg import BOTTOM, HEIGHT, LEFT, RIGHT, WIDTH, Frame, grid, number, svg, text

_TITLES = {
    "learning_rate": "learning rate",
    "epochs": "epochs",
    "batch_size": "batch size",
    "label_smoothing": "label smoothing",
    "freeze_layers": "frozen layers",
}
_LOGARITHMIC = ("learning_rate",)
_ROWS = 50
_TICKS = 5


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
        names=[(name, _TITLES.get(name, name)) for name in names],
        rows=valued[:_ROWS],
        hidden=max(0, len(valued) - _ROWS),
        percent=lambda value: f"{100 * value:.2f} %",
        setting=lambda one, name: f"{one.settings[name]:.4g}" if name in one.settings else "",
    )


def _charts(tried: Sequence[Tried], names: Sequence[str], score: str) -> list[_Chart]:
    valued = [one for one in tried if one.value is not None]
    if not valued:
        return []
    course = _Chart("The course of the study", _course(valued, score))
    varied = [name for name in names if len({one.settings[name] for one in valued if name in one.settings}) > 1]
    return [course, *(_Chart(f"By {_TITLES.get(name, name)}", _by_setting(valued, name, score)) for name in varied)]


def _course(tried: Sequence[Tried], score: str) -> str:
    frame = _frame(tried, lambda one: float(one.number))
    best, steps = -math.inf, []
    for one in tried:
        if one.state == "complete" and one.value is not None and one.value > best:
            steps += [(one.number, best)] if best > -math.inf else []
            best = one.value
            steps.append((one.number, best))
    if steps:
        steps.append((tried[-1].number, best))
    line = " ".join(f"{frame.x(x):.1f},{frame.y(y):.1f}" for x, y in steps)
    parts = [f'<polyline class="line first" points="{line}"/>'] if steps else []
    parts += _dots(tried, frame, lambda one: float(one.number), score)
    return _picture(frame, parts, [one.number for one in tried], "trial", f"{score}, by trial")


def _by_setting(tried: Sequence[Tried], name: str, score: str) -> str:
    logarithmic = name in _LOGARITHMIC

    def at(one: Tried) -> float:
        return math.log10(one.settings[name]) if logarithmic else float(one.settings[name])

    having = [one for one in tried if name in one.settings]
    frame = _frame(having, at)
    title = _TITLES.get(name, name)
    xs = [at(one) for one in having]
    return _picture(frame, _dots(having, frame, at, score), xs, title, f"{score}, by {title}", logarithmic=logarithmic)


def _frame(tried: Sequence[Tried], at: Callable[[Tried], float]) -> Frame:
    xs = [at(one) for one in tried]
    # What never learned anything would press all others into one line.
    ys = sorted(one.value for one in tried if one.value is not None)
    low = max(0.0, min(ys[len(ys) // 4], ys[-1] - 0.02) - 0.02)
    margin = (max(xs) - min(xs)) * 0.04 or 0.5
    return Frame(
        min(xs) - margin, max(xs) + margin, math.floor(low * 50) / 50, min(1.0, math.ceil(ys[-1] * 50) / 50 + 0.02)
    )


def _dots(tried: Sequence[Tried], frame: Frame, at: Callable[[Tried], float], score: str) -> list[str]:
    dots = []
    for one in tried:
        value = one.value or 0.0
        told = f"trial {one.number}: {score} {number(value, True, 2)}, {one.state}"
        dots.append(
            f'<circle class="dot {one.state}" cx="{frame.x(at(one)):.1f}" cy="{frame.y(max(value, frame.y0)):.1f}" '
            f'r="4"><title>{escape(told)}</title></circle>'
        )
    return dots


def _picture(
    frame: Frame, parts: Sequence[str], xs: Sequence[float], label: str, title: str, *, logarithmic: bool = False
) -> str:
    ticks = []
    for value in _ticks(xs):
        shown = f"{10**value:.1e}" if logarithmic else f"{value:.3g}"
        ticks.append(text(frame.x(value), HEIGHT - BOTTOM + 16, shown, "middle"))
    axis = text((LEFT + WIDTH - RIGHT) / 2, HEIGHT - 3, label, "middle")
    return svg([grid(frame, percent=True), *ticks, axis, *parts], title)


def _ticks(xs: Sequence[float]) -> list[float]:
    """The values themselves where they are few, else five from the lowest to the highest; whole ones of whole ones."""
    distinct = sorted(set(xs))
    if len(distinct) <= _TICKS:
        return distinct
    low, high = distinct[0], distinct[-1]
    even = [low + (high - low) * place / (_TICKS - 1) for place in range(_TICKS)]
    return sorted({round(value) for value in even}) if all(x == int(x) for x in xs) else even
