"""One labelled text, and what makes a value from a file unfit to be one."""

from __future__ import annotations

import math
import re
from collections.abc import Collection, Hashable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

from contracts.errors import DataError
from contracts.joined_labels import NONE, OTHERS, SEPARATOR, is_ambiguous

MAX_TEXT_CHARS = 1_000_000
_SHOWN = 5
# Tab, line feed and carriage return are text; lone surrogates cannot be written as UTF-8 again.
_FORBIDDEN_IN_TEXT = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\ud800-\udfff]")
_FORBIDDEN_IN_LABEL = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]")


@dataclass(frozen=True, slots=True)
class Row:
    """A labelled text and where it stands: the line from 1 as an editor shows it, or the row number from 1.

    Kinds of task other than single-label classification have rows of their own: `text` is then what must not be in
    two splits, and `label` what stands for the truth in the counts. `extra` are the columns for slices, `time` is when
    the row came about, in seconds since 1970.
    """

    text: str
    label: str
    file: str
    line: int
    extra: tuple[tuple[str, str], ...] = ()
    time: float | None = None

    @property
    def truth(self) -> Hashable:
        """What is to be learned of the text; two rows of one text contradict each other when it differs."""
        return self.label

    @property
    def names(self) -> tuple[str, ...]:
        """The names to be learned that the row holds."""
        return (self.label,)

    @property
    def unit(self) -> str:
        """What must be in one split alone when the splits are made here."""
        return self.text

    @property
    def asked(self) -> tuple[str, ...]:
        """The texts as callers would send them, each by itself."""
        return (self.text,)

    def without(self, names: Collection[str]) -> Row | None:
        """The row without some of the names; None where nothing is left to learn from."""
        return None if self.label in names else self

    def content(self) -> dict[str, Any]:
        """The row as JSON, without its place."""
        return {"text": self.text, "label": self.label} | ({"extra": dict(self.extra)} if self.extra else {})


Kind = TypeVar("Kind", bound=Row)


def rows_of(kind: type[Kind], rows: Sequence[Row]) -> list[Kind]:
    """The rows as those of one kind of task; a row of another kind is a defect, and a TypeError."""
    found = [row for row in rows if isinstance(row, kind)]
    if len(found) != len(rows):
        raise TypeError(f"expected rows of {kind.__name__} alone")
    return found


@dataclass(frozen=True, slots=True)
class Record:
    """What a file holds in the columns asked for, before it is known to be usable."""

    line: int
    values: Mapping[str, object]


class Problems:
    """What is wrong with one source; all of it is counted, the first few are told."""

    def __init__(self, source: str) -> None:
        self.source = source
        self._total = 0
        self._shown: list[tuple[int | None, str, str]] = []

    @property
    def total(self) -> int:
        """Problems noted so far."""
        return self._total

    def add(self, line: int | None, problem: str, remedy: str) -> None:
        """Note a problem (a sentence) and what to do about it (a sentence)."""
        self._total += 1
        if len(self._shown) < _SHOWN:
            self._shown.append((line, problem, remedy))

    def raise_if_any(self) -> None:
        """Raise `error()` when there are problems."""
        if self._shown:
            raise self.error()

    def error(self) -> DataError:
        """One error with up to five problems, at the line of the first, and the number of all."""
        line, problem, remedy = self._shown[0]
        told = {remedy}
        more = ""
        for other_line, other_problem, other_remedy in self._shown[1:]:
            where = f"line {other_line}: " if other_line is not None else ""
            more += f"\n  {where}{other_problem}" + ("" if other_remedy in told else f" {other_remedy}")
            told.add(other_remedy)
        if self._total > len(self._shown):
            more += f"\n  and {self._total - len(self._shown)} more."
        if self._total > 1:
            more += f"\n  {self._total} problems in all."
        return DataError(self.source, line, problem, remedy + more)


def shorten(value: str, limit: int = 40) -> str:
    """A value as it may stand in a message."""
    return value if len(value) <= limit else value[: limit - 3] + "..."


def text_of(record: Record, column: str, problems: Problems, what: str = "text") -> str | None:
    """The record's text in a column, or None after its problem was noted; `what` it is called in the message."""
    text = record.values[column]
    if not isinstance(text, str):
        problems.add(
            record.line,
            f"expected a {what}, found {kind_of(text)}.",
            f"Write the {what} as a string, or remove the row.",
        )
        return None
    if not text or text.isspace():
        problems.add(record.line, f"the {what} is empty.", f"Give the row a {what}, or remove it.")
        return None
    if len(text) > MAX_TEXT_CHARS:
        problems.add(
            record.line,
            f"the {what} has {len(text):,} characters; {MAX_TEXT_CHARS:,} are the most.",
            "Check that the file is what it should be (a quote that is never closed makes one field of many lines).",
        )
        return None
    if (bad := _FORBIDDEN_IN_TEXT.search(text)) is not None:
        _add_control(record.line, what, bad, problems)
        return None
    return text


def label_of(line: int, label: object, problems: Problems) -> str | None:
    """A value as a label: a string, or a number as one; None after its problem was noted."""
    # bool is an int to Python, and True is no name of a class that a user would recognise in an answer.
    if isinstance(label, int) and not isinstance(label, bool):
        return str(label)
    if isinstance(label, float) and math.isfinite(label):
        return str(label)
    if not isinstance(label, str):
        problems.add(line, f"expected a label, found {kind_of(label)}.", "Write the label as a string or a number.")
        return None
    if not label or label.isspace():
        problems.add(line, "the label is empty.", "Give the row a label, or remove it.")
        return None
    if (bad := _FORBIDDEN_IN_LABEL.search(label.strip())) is not None:
        _add_control(line, "label", bad, problems)
        return None
    return label


def is_telling(line: int, name: str, what: str, ignored: Collection[str], problems: Problems) -> bool:
    """Whether the prediction log can hold this name among several; noted where it cannot. `what` it is called.

    One that is going to be left out may have any name.
    """
    if name in ignored or not is_ambiguous(name):
        return True
    problems.add(
        line,
        f"expected a name of {'an' if what[0] in 'aeiou' else 'a'} {what} without {SEPARATOR!r} that is neither "
        f"{NONE!r} nor {OTHERS!r}, found {shorten(name)!r}: the prediction log joins the names of a text by "
        f"{SEPARATOR!r}, and writes {NONE!r} where there are none.",
        f"Rename the {what}, or name it in ignore_labels: it is then left out, and its texts stay.",
    )
    return False


def _add_control(line: int, what: str, bad: re.Match[str], problems: Problems) -> None:
    code = ord(bad.group())
    remedy = (
        "It is what mis-decoded text often holds: export the data as UTF-8 again."
        if code >= 0x7F
        else "Remove it, or export the data again without it."
    )
    problems.add(line, f"the {what} holds the control character U+{code:04X} at position {bad.start() + 1}.", remedy)


def kind_of(value: object) -> str:
    """What a value from a file is, in words."""
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int | float):
        return f"the number {value}"
    names: dict[type, str] = {list: "a list", dict: "an object", bytes: "bytes"}
    return names.get(type(value), f"a {type(value).__name__}")
