"""Figures with their intervals, one below the other."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import ceil, floor

from markupsafe import escape

from training.evaluation.proportions import Interval
from training.report.svg import number, shortened, svg, text

_WIDTH, _ROW, _HEAD = 720, 26, 8
_NAMES, _VALUES, _FOOT = 250, 76, 40
_NAME_CHARS = 38


@dataclass(frozen=True)
class Estimated:
    """One line: a share or a difference of shares, and whether it is bad news."""

    name: str
    value: float
    interval: Interval
    bad: bool = False


def forest_plot(lines: Sequence[Estimated], *, title: str, x_label: str, mark: float | None = None) -> str:
    """Dots on whiskers over one axis in per cent; `mark` is where a dashed line stands, such as no difference."""
    height = _HEAD + _ROW * len(lines) + _FOOT
    every = [end for line in lines for end in (line.interval.low, line.interval.high)]
    step = _step(min(every), max(every))
    low, high = floor(min(every) / step + 1e-9) * step, ceil(max(every) / step - 1e-9) * step
    if mark is not None:
        low, high = min(low, mark), max(high, mark)
    high = max(high, low + step)

    def x(value: float) -> float:
        return _NAMES + (value - low) / (high - low) * (_WIDTH - _NAMES - _VALUES)

    bottom = _HEAD + _ROW * len(lines)
    parts = []
    for tick in range(floor((high - low) / step + 1.5)):
        at = low + tick * step
        parts.append(f'<line class="grid" x1="{x(at):.1f}" y1="{_HEAD}" x2="{x(at):.1f}" y2="{bottom}"/>')
        parts.append(text(x(at), bottom + 16, number(at, percent=True, digits=0), "middle"))
    if mark is not None:
        parts.append(f'<line class="ideal" x1="{x(mark):.1f}" y1="{_HEAD}" x2="{x(mark):.1f}" y2="{bottom}"/>')
    parts.append(text((_NAMES + _WIDTH - _VALUES) / 2, height - 4, x_label, "middle"))
    for place, line in enumerate(lines):
        y = _HEAD + _ROW * (place + 0.5)
        style = "bad" if line.bad else "first"
        within = f"{number(line.interval.low, percent=True)} to {number(line.interval.high, percent=True)}"
        parts.append(
            f"<g><title>{escape(line.name)}: {number(line.value, percent=True)} ({within})</title>"
            f'<line class="line {style}" x1="{x(line.interval.low):.1f}" y1="{y:.1f}" '
            f'x2="{x(line.interval.high):.1f}" y2="{y:.1f}"/>'
            f'<circle class="dot {style}" cx="{x(line.value):.1f}" cy="{y:.1f}" r="4.5"/></g>'
        )
        parts.append(text(_NAMES - 12, y + 4, shortened(line.name, _NAME_CHARS), "end"))
        parts.append(text(_WIDTH - 4, y + 4, number(line.value, percent=True), "end", "ink"))
    return svg(parts, title, width=_WIDTH, height=height)


def _step(low: float, high: float) -> float:
    """A round distance that makes about five of the range, and is never under one per cent."""
    return next((step for step in (0.01, 0.02, 0.05, 0.1, 0.2) if (high - low) / step <= 6), 0.5)
