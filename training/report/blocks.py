"""What a section of the report is made of. Plain values: the page's template alone knows how they look.

A kind of task adds what it has to say as sections of `Measured`; nothing in here knows a kind.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

Tone = Literal["", "good", "bad", "soft"]


@dataclass(frozen=True)
class Cell:
    """One cell of a table: text, escaped by the page, with a bar of `rail` (0..1) under it where given."""

    text: str
    tone: Tone = ""
    rail: float | None = None
    number: bool = False  # right-aligned, not wrapped
    free: bool = False  # of any length and content: broken wherever there is need


@dataclass(frozen=True)
class Table:
    """Rows of cells under a head; a tall one scrolls in its place. A head that ends in `#` is of numbers."""

    head: tuple[str, ...]
    rows: tuple[tuple[Cell, ...], ...]
    note: str = ""
    tall: bool = False


@dataclass(frozen=True)
class Chart:
    """An SVG picture whose texts are escaped already, with its legend as (style, name)."""

    svg: str
    legend: tuple[tuple[str, str], ...] = ()
    note: str = ""


@dataclass(frozen=True)
class Prose:
    """A paragraph, escaped by the page."""

    text: str
    tone: Tone = ""


Block = Table | Chart | Prose


@dataclass(frozen=True)
class Section:
    """A titled card of the report; two that are not `wide` stand beside each other."""

    title: str
    blocks: tuple[Block, ...]
    wide: bool = True


def text_cell(text: str, tone: Tone = "") -> Cell:
    """A cell of words."""
    return Cell(text, tone)


def free_cell(text: str) -> Cell:
    """A cell of somebody's text."""
    return Cell(text, free=True)


def number_cell(text: str, tone: Tone = "") -> Cell:
    """A cell of figures."""
    return Cell(text, tone, number=True)


def share_cell(value: float, tone: Tone = "") -> Cell:
    """A share in per cent."""
    return Cell(percent(value), tone, number=True)


def percent(value: float, digits: int = 1) -> str:
    """A share, 0..1, for people."""
    return f"{100 * value:.{digits}f} %"


def points(value: float) -> str:
    """A difference of shares, signed, in percentage points."""
    return f"{100 * value:+.1f} pts"


def listed(names: Sequence[str]) -> str:
    """`a`, `a and b`, `a, b and c`."""
    return " and ".join([", ".join(names[:-1]), names[-1]]) if len(names) > 1 else "".join(names)
