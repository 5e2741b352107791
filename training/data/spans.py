"""Character spans as data files write them, held against their text."""

from __future__ import annotations

from itertools import pairwise
from typing import TypeGuard

from training.data.bio import Span
from training.data.rows import Problems, kind_of, label_of, shorten

_FORM = 'Write {"start": ..., "end": ..., "label": "..."}; `end` is the place behind the last character, from 0.'


def read_spans(text: str, value: object, line: int, problems: Problems) -> list[Span] | None:
    """The spans in order, or None after the first that is malformed was noted."""
    if not isinstance(value, list):
        problems.add(line, f"expected a list of spans, found {kind_of(value)}.", _FORM)
        return None
    spans = []
    for number, entry in enumerate(value, start=1):
        span = _span(text, entry, number, line, problems)
        if span is None:
            return None
        spans.append(span)
    spans.sort(key=lambda span: (span.start, span.end))
    for before, after in pairwise(spans):
        if after.start < before.end:
            problems.add(
                line,
                f"the spans {_shown(text, before)} and {_shown(text, after)} overlap.",
                "A character belongs to one entity at most: keep one of them.",
            )
            return None
    return spans


def _span(text: str, entry: object, number: int, line: int, problems: Problems) -> Span | None:
    if not isinstance(entry, dict):
        problems.add(line, f"span {number}: expected an object, found {kind_of(entry)}.", _FORM)
        return None
    start, end = entry.get("start"), entry.get("end")
    if not _is_place(start) or not _is_place(end):
        found = kind_of(end if _is_place(start) else start)
        problems.add(line, f"span {number}: expected whole numbers `start` and `end`, found {found}.", _FORM)
        return None
    if not 0 <= start < end <= len(text):
        problems.add(line, f"span {number}: {start} to {end} is not in its text of {len(text):,} characters.", _FORM)
        return None
    label = label_of(line, entry.get("label"), problems)
    if label is None:
        return None
    span = Span(start, end, label.strip())
    found = text[start:end]
    wanted = entry.get("text")
    if wanted is not None and wanted != found:
        problems.add(
            line,
            f"span {number}: its text is {shorten(str(wanted))!r}, but {start} to {end} is {shorten(found)!r}.",
            "Count characters, not bytes, from 0, in the text as it stands in the file.",
        )
        return None
    if found != found.strip():
        problems.add(line, f"span {number}: {shorten(found)!r} begins or ends with white space.", "Move its ends.")
        return None
    return span


def _is_place(value: object) -> TypeGuard[int]:
    return isinstance(value, int) and not isinstance(value, bool)


def _shown(text: str, span: Span) -> str:
    return f"{shorten(text[span.start : span.end])!r} ({span.start} to {span.end})"
