"""Where a classifier is wrong, and where the data may be: rows to look at first."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from contracts.reference import Floats, Integers
from training.data.rows import Row
from training.evaluation.bootstrap import indicators
from training.evaluation.mistakes import file_of

_SHOWN = 20
_PAIRS = 10


@dataclass(frozen=True)
class Answered:
    """Rows of one split, the model's calibrated probabilities [n, labels] for them and their labels' indices [n]."""

    split: str
    rows: Sequence[Row]
    probabilities: Floats
    truth: Integers


@dataclass(frozen=True)
class DoubtfulRow:
    """A row whose label is not what the model says."""

    split: str
    file: str
    line: int
    label: str
    answer: str
    score: float  # of the answer, 0..1
    label_score: float  # of the label, 0..1
    text: str | None  # None where texts are to be kept out


@dataclass(frozen=True)
class DoubtfulPair:
    """Rows of one label that the model surely takes for another."""

    label: str
    answer: str
    rows: int


@dataclass(frozen=True)
class Suspects:
    """Rows whose label may be wrong: all are counted, the least likely labels are listed."""

    examined: int
    found: int
    rows: tuple[DoubtfulRow, ...]
    pairs: tuple[DoubtfulPair, ...]


@dataclass(frozen=True)
class ErrorAnalysis:
    """What to look at first."""

    mistakes: int
    surest: tuple[DoubtfulRow, ...]
    suspects: Suspects


def analyse_errors(
    test: Answered, others: Sequence[Answered], labels: Sequence[str], *, with_texts: bool
) -> ErrorAnalysis:
    """The surest mistakes on the test rows, and rows of every split whose label is suspected."""
    wrong = np.nonzero(test.probabilities.argmax(axis=1) != test.truth)[0]
    surest = sorted(wrong.tolist(), key=lambda row: -float(test.probabilities[row].max()))[:_SHOWN]
    return ErrorAnalysis(
        mistakes=len(wrong),
        surest=tuple(_doubtful(test, row, labels, with_texts=with_texts) for row in surest),
        suspects=find_suspects((test, *others), labels, with_texts=with_texts),
    )


def suspected(probabilities: Floats, truth: Integers) -> Integers:
    """Rows whose label is likely wrong, the likeliest first, of [n, labels] probabilities and [n] labels.

    Confident learning (Northcutt, Jiang and Chuang 2021, arXiv 1911.00068, section 3.1): a row is counted to the label
    with the highest probability among those whose probability is at least the mean that rows of that label have for it;
    it is suspected where that is another label than its own. Ordered by the margin of the own label's probability
    (section 3.2, normalised margin). The probabilities are to be of a model that has not trained on the rows.
    """
    if not len(truth):
        return np.zeros(0, dtype=np.int64)
    wanted = indicators(truth, probabilities.shape[1])
    rows = wanted.sum(axis=0)
    typical = np.where(rows > 0, (probabilities * wanted).sum(axis=0) / np.maximum(rows, 1), np.inf)
    confident = np.where(probabilities >= typical, probabilities, -1.0)
    counted = confident.argmax(axis=1)
    own = probabilities[np.arange(len(truth)), truth]
    found = np.nonzero((confident.max(axis=1) >= 0) & (counted != truth) & (probabilities.max(axis=1) > own))[0]
    margin = own[found] - probabilities[found].max(axis=1)
    return found[np.argsort(margin, kind="stable")].astype(np.int64)


def find_suspects(parts: Sequence[Answered], labels: Sequence[str], *, with_texts: bool) -> Suspects:
    """The rows of every part whose label is suspected, each part held against itself."""
    doubtful = [
        _doubtful(part, int(row), labels, with_texts=with_texts)
        for part in parts
        for row in suspected(part.probabilities, part.truth)
    ]
    doubtful.sort(key=_margin)
    pairs = Counter((row.label, row.answer) for row in doubtful)
    ordered = sorted(pairs.items(), key=lambda item: (-item[1], item[0]))[:_PAIRS]
    return Suspects(
        examined=sum(len(part.rows) for part in parts),
        found=len(doubtful),
        rows=tuple(doubtful[:_SHOWN]),
        pairs=tuple(DoubtfulPair(label, answer, rows) for (label, answer), rows in ordered if rows > 1),
    )


def merge_suspects(found: Sequence[Suspects]) -> Suspects:
    """What was found in several looks, each at other labels."""
    rows = sorted((row for one in found for row in one.rows), key=_margin)
    pairs = sorted((pair for one in found for pair in one.pairs), key=lambda pair: (-pair.rows, pair.label))
    return Suspects(
        examined=sum(one.examined for one in found),
        found=sum(one.found for one in found),
        rows=tuple(rows[:_SHOWN]),
        pairs=tuple(pairs[:_PAIRS]),
    )


def _margin(row: DoubtfulRow) -> float:
    return row.label_score - row.score


def _doubtful(part: Answered, number: int, labels: Sequence[str], *, with_texts: bool) -> DoubtfulRow:
    row, probabilities = part.rows[number], part.probabilities[number]
    answer = int(probabilities.argmax())
    return DoubtfulRow(
        split=part.split,
        file=file_of(row),
        line=row.line,
        label=labels[int(part.truth[number])],
        answer=labels[answer],
        score=float(probabilities[answer]),
        label_score=float(probabilities[int(part.truth[number])]),
        text=row.text if with_texts else None,
    )
