"""The charts of a study, as SVG whose colours come from the page that they stand on."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

from markupsafe import escape

from training.recipes.trials import Tried
from training.report.svg import BOTTOM, HEIGHT, LEFT, RIGHT, WIDTH, Frame, grid, number, svg, text

TITLES = {
    "learning_rate": "learning rate",
    "epochs": "epochs",
    "batch_size": "batch size",
    "label_smoothing": "label smoothing",
    "freeze_layers": "frozen layers",
}
_STYLES = {"complete": "first", "pruned": "second", "failed": "third"}
_LOGARITHMIC = ("learning_rate",)
_TICKS = 5


def course_chart(tried: Sequence[Tried], score: str) -> str:
    """Each trial's value by its number, and the best so far. At least one of them has a value."""
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


def setting_chart(tried: Sequence[Tried], name: str, score: str) -> str:
    """Each trial's value by one of its settings."""
    logarithmic = name in _LOGARITHMIC

    def at(one: Tried) -> float:
        return math.log10(one.settings[name]) if logarithmic else float(one.settings[name])

    having = [one for one in tried if name in one.settings]
    frame = _frame(having, at)
    title = TITLES.get(name, name)
    xs = [at(one) for one in having]
    return _picture(frame, _dots(having, frame, at, score), xs, title, f"{score}, by {title}", logarithmic=logarithmic)


def _frame(tried: Sequence[Tried], at: Callable[[Tried], float]) -> Frame:
    xs = [at(one) for one in tried]
    # What never learned anything would press all others into one line.
    ys = sorted(one.value for one in tried if one.value is not None)
    low = math.floor(max(0.0, min(ys[len(ys) // 4], ys[-1] - 0.02) - 0.02) * 50) / 50
    high = min(1.0, math.ceil(ys[-1] * 50) / 50 + 0.02)
    margin = (max(xs) - min(xs)) * 0.04 or 0.5
    # Rank correlations may all be below 0, where nothing was learned.
    return Frame(min(xs) - margin, max(xs) + margin, low, max(high, low + 0.02))


def _dots(tried: Sequence[Tried], frame: Frame, at: Callable[[Tried], float], score: str) -> list[str]:
    dots = []
    for one in tried:
        value = one.value or 0.0
        told = f"trial {one.number}: {score} {number(value, True, 2)}, {one.state}"
        x, y = frame.x(at(one)), frame.y(max(value, frame.y0))
        tip = f"<title>{escape(told)}</title>"
        dots.append(f'<circle class="dot {_STYLES[one.state]}" cx="{x:.1f}" cy="{y:.1f}" r="4">{tip}</circle>')
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
