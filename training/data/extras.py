"""What a row may carry beside its text and truth: columns that the report slices by, and its time."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, time
from typing import TypeVar

from contracts.errors import DataError
from contracts.task import DataSpec
from training.data.rows import Problems, Record, Row, kind_of, shorten

AnyRow = TypeVar("AnyRow", bound=Row)
_REMEDY = "Write ISO 8601, such as 2026-03-01 or 2026-03-01T09:30:00Z, or seconds since 1970; or unset `time_column`."


@dataclass(frozen=True)
class Extras:
    """The columns to carry along; they must be there."""

    slice_columns: tuple[str, ...] = ()
    time_column: str | None = None

    @classmethod
    def of(cls, data: DataSpec) -> Extras:
        """Those that a task asks for."""
        return cls(data.slice_columns, data.time_column)

    @property
    def columns(self) -> tuple[str, ...]:
        """All of them."""
        return (*self.slice_columns, *((self.time_column,) if self.time_column is not None else ()))

    def check_none(self, source: str, form: str) -> None:
        """Raises for a form of file that has no columns of one's own."""
        if self.columns:
            raise DataError(
                source,
                None,
                f"{form} has no column {self.columns[0]!r}.",
                "Remove `slice_columns` and `time_column` from [data], or convert the file to JSON Lines.",
            )

    def add(self, row: AnyRow, record: Record, problems: Problems) -> AnyRow:
        """The row with them; a value that is missing or null is empty, a time that is none is noted."""
        if not self.columns:
            return row
        pairs = ((column, record.values.get(column)) for column in self.slice_columns)
        extra = tuple((column, "" if value is None else str(value)) for column, value in pairs)
        return replace(row, extra=extra, time=self._time(record.line, record.values, problems))

    def _time(self, line: int, values: Mapping[str, object], problems: Problems) -> float | None:
        if self.time_column is None:
            return None
        value = values.get(self.time_column)
        seconds = seconds_of(value)
        if seconds is None:
            found = repr(shorten(value)) if isinstance(value, str) else kind_of(value)
            problems.add(line, f"expected a time in {self.time_column!r}, found {found}.", _REMEDY)
        return seconds


def seconds_of(value: object) -> float | None:
    """A time as seconds since 1970, of which a time without zone is taken for UTC; None for what is no time."""
    if isinstance(value, bool):
        return None
    try:
        if isinstance(value, int | float):
            return float(value) if math.isfinite(value) else None
        if isinstance(value, str):
            return _parsed(value.strip())
        if isinstance(value, date) and not isinstance(value, datetime):
            value = datetime.combine(value, time())
        return _utc(value).timestamp() if isinstance(value, datetime) else None
    except (ValueError, OverflowError):
        return None


def _parsed(value: str) -> float:
    try:
        number = float(value)
    except ValueError:
        return _utc(datetime.fromisoformat(value)).timestamp()
    # 20260301 is a date to ISO 8601, and a day of August 1970 to nobody.
    if value.isdecimal() and len(value) == len("20260301") and value[:2] in ("19", "20"):
        return _utc(datetime.fromisoformat(value)).timestamp()
    if not math.isfinite(number):
        raise ValueError(value)
    return number


def _utc(moment: datetime) -> datetime:
    return moment if moment.tzinfo is not None else moment.replace(tzinfo=UTC)
