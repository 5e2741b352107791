"""Which columns a reader looks for, and what it says when they are not there."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from difflib import get_close_matches

from training.data.rows import Problems, shorten

_SETTINGS = "`text_column` and `label_column`"
_REQUIRED = (
    "Set `slice_columns` and `time_column` in [data] of the task file to columns that the file has, or remove them."
)


@dataclass(frozen=True)
class Columns:
    """One of the `choices` must be there whole, `required` too; `optional` ones are read where they are."""

    choices: tuple[tuple[str, ...], ...]
    required: tuple[str, ...] = ()
    optional: tuple[str, ...] = ()
    settings: str = _SETTINGS  # those that name the columns
    place: str = " in [data] of the task file"  # where they are set; empty for options of a command

    def chosen(self, found: Sequence[str]) -> tuple[str, ...] | None:
        """The columns to read of those found, or None when none of the choices is there."""
        for choice in self.choices:
            wanted = dict.fromkeys((*choice, *self.required))
            if all(column in found for column in wanted):
                return tuple(dict.fromkeys((*wanted, *(column for column in self.optional if column in found))))
        return None

    def note_missing(self, line: int | None, found: Sequence[str], problems: Problems) -> None:
        """Note what is missing: each column where there is one choice, else the choices."""
        remedy = f"Set {self.settings}{self.place} to columns that the file has."
        listed = ", ".join(repr(shorten(name)) for name in found[:20]) or "none"
        if len(self.choices) > 1 and not any(all(name in found for name in choice) for choice in self.choices):
            wanted = ", or ".join(" and ".join(map(repr, choice)) for choice in self.choices)
            problems.add(line, f"expected columns {wanted}, found: {listed}.", remedy)
            return
        one = self.choices[0] if len(self.choices) == 1 else ()
        for column in dict.fromkeys((*one, *self.required)):
            if column not in found:
                told = remedy if column in one else _REQUIRED
                problems.add(line, f"expected a column {column!r}, found: {listed}{_guess(column, found)}.", told)

    @property
    def example(self) -> str:
        """A row of the first choice, as JSON."""
        return "{" + ", ".join(f'"{column}": ...' for column in self.choices[0]) + "}"


def _guess(column: str, found: Sequence[str]) -> str:
    near = get_close_matches(column, found, n=1, cutoff=0.6) or [
        name for name in found if name.strip().lower() == column.strip().lower()
    ]
    return f" (did you mean {near[0]!r}?)" if near else ""
