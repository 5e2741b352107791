"""Intervals of shares and of their differences, from counts alone."""

from __future__ import annotations

from dataclasses import dataclass
from math import sqrt
from statistics import NormalDist


@dataclass(frozen=True)
class Interval:
    """Of 100 test sets like this one, about 95 give an interval that holds the true figure."""

    low: float
    high: float

    @property
    def excludes_zero(self) -> bool:
        """Whether a difference with this interval is more than chance."""
        return self.low > 0.0 or self.high < 0.0


def wilson(right: float, rows: int, *, alpha: float = 0.05) -> Interval:
    """The share that `right` of `rows` (at least one) stand for (Wilson 1927); says something of 0 % and 100 % too."""
    z = NormalDist().inv_cdf(1 - alpha / 2)
    share = right / rows
    middle = (share + z * z / (2 * rows)) / (1 + z * z / rows)
    half = z / (1 + z * z / rows) * sqrt(share * (1 - share) / rows + z * z / (4 * rows * rows))
    # Rounding must not put a share of 0 or 1 outside of its own interval.
    return Interval(max(0.0, min(share, middle - half)), min(1.0, max(share, middle + half)))


def difference(right: int, rows: int, other_right: int, other_rows: int, *, alpha: float = 0.05) -> Interval:
    """The first share minus the other, of independent rows, at least one each (Newcombe 1998, method 10)."""
    first, second = right / rows, other_right / other_rows
    one, two = wilson(right, rows, alpha=alpha), wilson(other_right, other_rows, alpha=alpha)
    gap = first - second
    return Interval(
        gap - sqrt((first - one.low) ** 2 + (two.high - second) ** 2),
        gap + sqrt((one.high - first) ** 2 + (second - two.low) ** 2),
    )
