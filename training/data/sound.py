"""Whether rows hold what their kind of task needs to be learned at all."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from contracts.errors import DataError
from contracts.task import DataSpec
from training.data.findings import listed
from training.data.multilabel import MultiLabelRow
from training.data.pairs import PairRow
from training.data.questions import ANSWER, QuestionRow
from training.data.rows import Row
from training.data.tagged import TaggedRow

MAX_LABELS = 1000


def names_of(rows: Iterable[Row]) -> set[str]:
    """Every name that the rows hold."""
    return {name for row in rows for name in row.names}


def check_names(source: str, train: Sequence[Row], names: Iterable[str], data: DataSpec) -> None:
    """Raises when there is nothing to tell apart, or so much that it is likely the wrong column."""
    if isinstance(train[0], PairRow):
        return
    if isinstance(train[0], QuestionRow):
        _check_some(source, train, ANSWER in names_of(train), "a question with an answer", "Add some.")
        return
    found = sorted(names)
    if isinstance(train[0], TaggedRow):
        _check_some(source, train, bool(names_of(train)), "an entity", "Check the tags, and ignore_labels.")
    elif isinstance(train[0], MultiLabelRow):
        _check_some(source, train, bool(names_of(train)), "a label", "Check `label_column` and ignore_labels.")
    else:
        _check_two(source, train, data)
    if len(found) > MAX_LABELS:
        raise DataError(
            source,
            train[0].line,
            f"expected at most {MAX_LABELS} labels, found {len(found)}, such as {listed(found, 3)}.",
            f"Check that `label_column` ({data.label_column!r}) and `text_column` ({data.text_column!r}) "
            "are not exchanged.",
        )


def _check_some(source: str, train: Sequence[Row], there: bool, what: str, remedy: str) -> None:
    if not there:
        raise DataError(source, train[0].line, f"expected {what} in the training rows, found none.", remedy)


def _check_two(source: str, train: Sequence[Row], data: DataSpec) -> None:
    present = sorted({row.label for row in train})
    if len(present) < 2:
        raise DataError(
            source,
            train[0].line,
            f"expected at least two labels to tell apart, found {listed(present)} on every row.",
            f"Add rows of other labels, or check `label_column` ({data.label_column!r}) and ignore_labels.",
        )
