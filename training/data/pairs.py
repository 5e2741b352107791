"""Pairs of texts, with a score of how much they mean the same or without one."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

from contracts.errors import DataError
from contracts.task import DataSpec
from training.data.columns import Columns
from training.data.extras import Extras
from training.data.records import problems_of, read_records
from training.data.rows import Problems, Row, kind_of, text_of
from training.data.sources import check_distinct

PAIR = "pair"


@dataclass(frozen=True, slots=True, kw_only=True)
class PairRow(Row):
    """Two texts; `score` is 0..1, or None for pairs that are all known to match.

    `text` is both, with a line end between them; `label` is "pair".
    """

    first: str
    second: str
    score: float | None

    @property
    def truth(self) -> float | None:
        """The score."""
        return self.score

    @property
    def names(self) -> tuple[str, ...]:
        """There are none to learn."""
        return ()

    @property
    def asked(self) -> tuple[str, ...]:
        """Both, each by itself."""
        return (self.first, self.second)

    def content(self) -> dict[str, Any]:
        """The row as JSON, without its place."""
        made: dict[str, Any] = {"first": self.first, "second": self.second, "score": self.score}
        return made | ({"extra": dict(self.extra)} if self.extra else {})


def pair_row(first: str, second: str, score: float | None, file: str, line: int) -> PairRow:
    """A row of two texts; the score is 0..1 or None."""
    return PairRow(
        text=f"{first}\n{second}",
        label=PAIR,
        file=file,
        line=line,
        first=first,
        second=second,
        score=score,
    )


def read_pairs(source: str, data: DataSpec, *, split: str | None = None) -> list[PairRow]:
    """All rows, in order; scores from 0 to `data.max_score` come back as 0..1, all rows have one or none has.

    With `data.pairs` "matching" scores are not read, with "scored" there must be some. Texts come back stripped.
    Raises DataError naming file and line of what is malformed.
    """
    check_distinct(
        source, first_column=data.first_column, second_column=data.second_column, score_column=data.score_column
    )
    problems = problems_of(source, split)
    rows = []
    for record in read_records(source, split, _columns(data), problems):
        first = text_of(record, data.first_column, problems, "first text")
        second = text_of(record, data.second_column, problems, "second text")
        score = _score(record.line, record.values.get(data.score_column), data.max_score, problems)
        if first is not None and second is not None:
            row = pair_row(first.strip(), second.strip(), score, problems.source, record.line)
            rows.append(Extras.of(data).add(row, record, problems))
    if any(row.score is not None for row in rows):
        for row in rows:
            if row.score is None and not problems.total:
                problems.add(row.line, "the pair has no score, and others have.", "Score all pairs or none.")
    problems.raise_if_any()
    if not rows:
        raise DataError(source, None, "expected pairs of texts, found no rows.", "Export the data again.")
    return rows


def _columns(data: DataSpec) -> Columns:
    scored = (data.score_column,) if data.pairs == "scored" else ()
    return Columns(
        choices=((data.first_column, data.second_column, *scored),),
        required=Extras.of(data).columns,
        optional=() if data.pairs == "matching" else (data.score_column,),
        settings="`first_column`, `second_column` and, where there are scores, `score_column`",
    )


def _score(line: int, value: object, largest: float, problems: Problems) -> float | None:
    """The score as 0..1; None where there is none, or after its problem was noted."""
    if value is None or value == "":
        return None
    number = math.nan
    if isinstance(value, str | int | float) and not isinstance(value, bool):
        try:
            number = float(value)
        except (ValueError, OverflowError):
            number = math.nan
    if not 0 <= number <= largest:
        found = repr(value) if isinstance(value, str) else kind_of(value)
        problems.add(
            line,
            f"expected a score from 0 to {largest:g}, found {found}.",
            "Correct it, or set `max_score` in [data] to the score of two texts that mean the same.",
        )
        return None
    return number / largest
