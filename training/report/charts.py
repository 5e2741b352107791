"""Small charts as inline SVG; colours come from the page's style sheet, so they follow light and dark.

Every text in them is escaped here, so that a page may put them in as they are.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from markupsafe import escape

from training.evaluation.calibration import ReliabilityBin

_WIDTH, _HEIGHT = 460, 240
_LEFT, _RIGHT, _TOP, _BOTTOM = 44, 24, 12, 34


@dataclass(frozen=True)
class Series:
    """One line: a name, a style class, and (x, y) points."""

    name: str
    style: str
    points: Sequence[tuple[float, float]]


@dataclass(frozen=True)
class _Frame:
    """From data to pixels; y grows upwards."""

    x0: float
    x1: float
    y0: float
    y1: float

    def x(self, value: float) -> float:
        return _LEFT + (value - self.x0) / (self.x1 - self.x0) * (_WIDTH - _LEFT - _RIGHT)

    def y(self, value: float) -> float:
        return _HEIGHT - _BOTTOM - (value - self.y0) / (self.y1 - self.y0) * (_HEIGHT - _TOP - _BOTTOM)


def line_chart(series: Sequence[Series], *, x_label: str, percent: bool) -> str:
    """Lines over whole-numbered x (epochs); y in per cent, or from 0 upwards."""
    points = [point for one in series for point in one.points]
    xs = sorted({x for x, _ in points})
    highest = max(y for _, y in points)
    lowest = min(y for _, y in points)
    top = 1.0 if percent else _nice(highest)
    bottom = min(0.8, int(lowest * 5) / 5) if percent else 0.0  # fifths, so that quarters of the rest are round
    wide = 0.5 if xs[0] == xs[-1] else 0.0
    frame = _Frame(xs[0] - wide, xs[-1] + wide, bottom, top)
    parts = [_grid(frame, percent=percent)]
    step = max(1, len(xs) // 10)
    parts += [_text(frame.x(x), _HEIGHT - _BOTTOM + 16, f"{x:g}", "middle") for x in xs[::step]]
    parts.append(_text((_LEFT + _WIDTH - _RIGHT) / 2, _HEIGHT - 3, x_label, "middle"))
    for one in series:
        path = " ".join(f"{frame.x(x):.1f},{frame.y(y):.1f}" for x, y in one.points)
        parts.append(f'<polyline class="line {one.style}" points="{path}"/>')
        parts += [
            f'<circle class="dot {one.style}" cx="{frame.x(x):.1f}" cy="{frame.y(y):.1f}" r="3">'
            f"<title>{escape(one.name)}, {escape(x_label)} {x:g}: {_number(y, percent)}</title></circle>"
            for x, y in one.points
        ]
    return _svg(parts, ", ".join(one.name for one in series))


def reliability_diagram(bins: Sequence[ReliabilityBin]) -> str:
    """Accuracy in each interval of the score, against the diagonal; the wider the bar's tone, the more rows."""
    frame = _Frame(0.0, 1.0, 0.0, 1.0)
    rows = sum(entry.rows for entry in bins)
    parts = [_grid(frame, percent=True)]
    parts += [_text(frame.x(tick / 4), _HEIGHT - _BOTTOM + 16, f"{tick * 25} %", "middle") for tick in range(5)]
    parts.append(_text((_LEFT + _WIDTH - _RIGHT) / 2, _HEIGHT - 3, "score", "middle"))
    for entry in bins:
        left, right, top = frame.x(entry.low) + 1, frame.x(entry.high) - 1, frame.y(entry.accuracy)
        opacity = 0.35 + 0.65 * (entry.rows / rows) ** 0.5
        parts.append(
            f'<rect class="bar" x="{left:.1f}" y="{top:.1f}" width="{right - left:.1f}" '
            f'height="{frame.y(0) - top:.1f}" style="opacity:{opacity:.2f}"><title>{entry.rows} texts, mean score '
            f"{entry.score:.3f}, accuracy {entry.accuracy:.3f}</title></rect>"
        )
    parts.append(
        f'<line class="ideal" x1="{frame.x(0):.1f}" y1="{frame.y(0):.1f}" x2="{frame.x(1):.1f}" y2="{frame.y(1):.1f}"/>'
    )
    return _svg(parts, "Reliability diagram")


def _grid(frame: _Frame, *, percent: bool) -> str:
    lines = []
    for tick in range(5):
        value = frame.y0 + (frame.y1 - frame.y0) * tick / 4
        y = frame.y(value)
        lines.append(f'<line class="grid" x1="{_LEFT}" y1="{y:.1f}" x2="{_WIDTH - _RIGHT}" y2="{y:.1f}"/>')
        lines.append(_text(_LEFT - 6, y + 4, _number(value, percent, digits=0 if percent else 2), "end"))
    return "".join(lines)


def _text(x: float, y: float, content: str, anchor: str) -> str:
    return f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}">{escape(content)}</text>'


def _number(value: float, percent: bool, digits: int = 1) -> str:
    return f"{100 * value:.{digits}f} %" if percent else f"{value:.{digits}f}"


def _nice(value: float) -> float:
    """The next of 1, 2, 4, 6, 8, 10 times a power of ten, so that quarters are round."""
    scale = 1.0
    while scale * 10 <= value:
        scale *= 10
    while scale > value and scale > 1e-6:
        scale /= 10
    return next((scale * step for step in (1, 2, 4, 6, 8) if scale * step >= value), scale * 10)


def _svg(parts: Sequence[str], title: str) -> str:
    return f'<svg viewBox="0 0 {_WIDTH} {_HEIGHT}" role="img" aria-label="{escape(title)}">{"".join(parts)}</svg>'
