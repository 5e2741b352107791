"""Test rows that were answered wrong, of kinds whose answers are not one label a text: which to look at first."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import PurePath

import numpy as np

from contracts.reference import Floats, Integers
from training.data.rows import Row
from training.evaluation.evaluate import Confusion

SHOWN = 20
_AROUND = 80  # characters on either side of what an excerpt is about


@dataclass(frozen=True)
class Mistake:
    """A row that was answered wrong. What is of the data's texts is None where they are to be kept out."""

    file: str
    line: int
    wanted: str
    answer: str
    score: float  # of the answer, as it would be served
    text: str | None
    beside: str | None = None  # what the text was read with, or compared with


@dataclass(frozen=True)
class Mistakes:
    """All are counted, the surest are listed, the highest score first."""

    mistakes: int
    surest: tuple[Mistake, ...]


def surest_mistakes(wrong: Integers, scores: Floats, tell: Callable[[int], Mistake]) -> Mistakes:
    """Of places that are `wrong`, those with the highest of their [len(wrong)] scores, as `tell` has them."""
    order = np.argsort(-scores, kind="stable")[:SHOWN]
    return Mistakes(len(wrong), tuple(tell(int(wrong[place])) for place in order))


def count_confusions(pairs: Iterable[tuple[str, str]], rows: Mapping[str, int]) -> tuple[Confusion, ...]:
    """How often which (truth, answer) occurs, the most frequent first; `rows` says how often each truth does."""
    counted = sorted(Counter(pairs).items(), key=lambda item: (-item[1], item[0]))
    return tuple(Confusion(truth, answer, times, times / rows[truth]) for (truth, answer), times in counted)


def file_of(row: Row) -> str:
    """Its file without the folder, which is of the machine that trained and nobody else's business."""
    return PurePath(row.file).name


def excerpt(text: str, start: int, end: int) -> str:
    """Characters `start` to `end` of a text in brackets, with what stands around them, on one line."""
    first, last = max(0, start - _AROUND), min(len(text), end + _AROUND)
    marked = f"{text[first:start]}[{text[start:end]}]{text[end:last]}" if start < end else text[first:last]
    shown = " ".join(marked.split())
    return f"{'…' if first else ''}{shown}{'…' if last < len(text) else ''}"
