"""What the report's charts are drawn with: a frame, its grid, and text that is escaped."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from markupsafe import escape

WIDTH, HEIGHT = 460, 240
LEFT, RIGHT, TOP, BOTTOM = 44, 24, 12, 34


@dataclass(frozen=True)
class Frame:
    """From data to pixels; y grows upwards."""

    x0: float
    x1: float
    y0: float
    y1: float
    height: float = HEIGHT

    def x(self, value: float) -> float:
        """Pixels from the left."""
        return LEFT + (value - self.x0) / (self.x1 - self.x0) * (WIDTH - LEFT - RIGHT)

    def y(self, value: float) -> float:
        """Pixels from the top."""
        return self.height - BOTTOM - (value - self.y0) / (self.y1 - self.y0) * (self.height - TOP - BOTTOM)


def grid(frame: Frame, *, percent: bool) -> str:
    """Five horizontal lines with their values on the left."""
    lines = []
    for tick in range(5):
        value = frame.y0 + (frame.y1 - frame.y0) * tick / 4
        y = frame.y(value)
        lines.append(f'<line class="grid" x1="{LEFT}" y1="{y:.1f}" x2="{WIDTH - RIGHT}" y2="{y:.1f}"/>')
        lines.append(text(LEFT - 6, y + 4, number(value, percent, digits=0 if percent else 2), "end"))
    return "".join(lines)


def unit_axis(frame: Frame, label: str) -> str:
    """Quarters of the horizontal axis from 0 to 1, in per cent, and what it shows."""
    ticks = [text(frame.x(t / 4), frame.height - BOTTOM + 16, f"{t * 25} %", "middle") for t in range(5)]
    return "".join(ticks) + text((LEFT + WIDTH - RIGHT) / 2, frame.height - 3, label, "middle")


def text(x: float, y: float, content: str, anchor: str, style: str = "") -> str:
    """Text at a point; `anchor` is start, middle or end."""
    styled = f' class="{style}"' if style else ""
    return f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}"{styled}>{escape(content)}</text>'


def number(value: float, percent: bool, digits: int = 1) -> str:
    """A figure as an axis or a tip shows it."""
    return f"{100 * value:.{digits}f} %" if percent else f"{value:.{digits}f}"


def shortened(content: str, limit: int) -> str:
    """As much of it as there is room for."""
    return content if len(content) <= limit else content[: limit - 1] + "…"


def svg(
    parts: Sequence[str], title: str, *, width: float = WIDTH, height: float = HEIGHT, natural: bool = False
) -> str:
    """The whole picture, named for those who cannot see it; a natural one is never drawn larger than it is."""
    limit = f' style="max-width:{width:.0f}px"' if natural else ""
    box = f'viewBox="0 0 {width:.2f} {height:.2f}" role="img"{limit}'
    return f'<svg {box} aria-label="{escape(title)}">{"".join(parts)}</svg>'
