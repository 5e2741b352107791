"""Charts of lines and bars as inline SVG; colours come from the page's style sheet, so they follow light and dark.

Every text in them is escaped here, so that a page may put them in as they are.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import floor

from markupsafe import escape

from training.evaluation.calibration import ReliabilityBin
from training.evaluation.curves import Curve
from training.report.svg import BOTTOM, HEIGHT, LEFT, RIGHT, WIDTH, Frame, grid, number, svg, text, unit_axis

STYLES = ("first", "second", "third")  # of the lines of one chart, in turn
_SQUARE = 380


@dataclass(frozen=True)
class Series:
    """One line: a name, a style class, and (x, y) points."""

    name: str
    style: str
    points: Sequence[tuple[float, float]]


def line_chart(series: Sequence[Series], *, x_label: str, percent: bool) -> str:
    """Lines over whole-numbered x (epochs); y in per cent, or from 0 upwards."""
    points = [point for one in series for point in one.points]
    xs = sorted({x for x, _ in points})
    highest = max(y for _, y in points)
    lowest = min(y for _, y in points)
    top = 1.0 if percent else _nice(highest)
    bottom = min(0.8, floor(lowest * 5) / 5) if percent else 0.0  # fifths, so that quarters of the rest are round
    wide = 0.5 if xs[0] == xs[-1] else 0.0
    frame = Frame(xs[0] - wide, xs[-1] + wide, bottom, top)
    parts = [grid(frame, percent=percent)]
    step = max(1, len(xs) // 10)
    parts += [text(frame.x(x), HEIGHT - BOTTOM + 16, f"{x:g}", "middle") for x in xs[::step]]
    parts.append(text((LEFT + WIDTH - RIGHT) / 2, HEIGHT - 3, x_label, "middle"))
    for one in series:
        parts.append(_polyline(frame, one.points, one.style))
        parts += [
            f'<circle class="dot {one.style}" cx="{frame.x(x):.1f}" cy="{frame.y(y):.1f}" r="3">'
            f"<title>{escape(one.name)}, {escape(x_label)} {x:g}: {number(y, percent)}</title></circle>"
            for x, y in one.points
        ]
    return svg(parts, ", ".join(one.name for one in series))


def curve_chart(curves: Sequence[Curve], *, title: str, x_label: str, diagonal: bool) -> str:
    """Curves on the unit square in the styles' order, the first on top; `diagonal` is what guessing would give."""
    frame = Frame(0.0, 1.0, 0.0, 1.0, _SQUARE)
    parts = [grid(frame, percent=True), unit_axis(frame, x_label)]
    if diagonal:
        parts.append(_diagonal(frame))
    for curve, style in reversed(list(zip(curves, STYLES, strict=False))):
        tip = f"<title>{escape(curve.name)}: area {curve.area:.4f}</title>"
        parts.append(f"<g>{tip}{_polyline(frame, curve.points, style)}</g>")
    return svg(parts, title, height=_SQUARE)


def reliability_diagram(bins: Sequence[ReliabilityBin]) -> str:
    """Accuracy in each interval of the score, against the diagonal; the stronger the bar's tone, the more rows."""
    frame = Frame(0.0, 1.0, 0.0, 1.0)
    rows = sum(entry.rows for entry in bins)
    parts = [grid(frame, percent=True), unit_axis(frame, "score")]
    for entry in bins:
        left, right, top = frame.x(entry.low) + 1, frame.x(entry.high) - 1, frame.y(entry.accuracy)
        opacity = 0.35 + 0.65 * (entry.rows / rows) ** 0.5
        parts.append(
            f'<rect class="bar" x="{left:.1f}" y="{top:.1f}" width="{right - left:.1f}" '
            f'height="{frame.y(0) - top:.1f}" style="opacity:{opacity:.2f}"><title>{entry.rows} texts, mean score '
            f"{entry.score:.3f}, accuracy {entry.accuracy:.3f}</title></rect>"
        )
    parts.append(_diagonal(frame))
    return svg(parts, "Reliability diagram")


def _polyline(frame: Frame, points: Sequence[tuple[float, float]], style: str) -> str:
    path = " ".join(f"{frame.x(x):.1f},{frame.y(y):.1f}" for x, y in points)
    return f'<polyline class="line {style}" points="{path}"/>'


def _diagonal(frame: Frame) -> str:
    ends = f'x1="{frame.x(0):.1f}" y1="{frame.y(0):.1f}" x2="{frame.x(1):.1f}" y2="{frame.y(1):.1f}"'
    return f'<line class="ideal" {ends}/>'


def _nice(value: float) -> float:
    """The next of 1, 2, 4, 6, 8, 10 times a power of ten, so that quarters are round."""
    scale = 1.0
    while scale * 10 <= value:
        scale *= 10
    while scale > value and scale > 1e-6:
        scale /= 10
    return next((scale * step for step in (1, 2, 4, 6, 8) if scale * step >= value), scale * 10)
