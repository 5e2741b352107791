"""Old data and fresh labels from production together: what a successor learns from and is compared on."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from contracts.errors import DataError
from training.data.findings import count, listed, tell_left_out, unique_rows, without_texts
from training.data.rows import Row
from training.data.splits import Dataset, canonical, make_dataset
from training.data.stratify import split_stratified

VALIDATION_SHARE = 0.2
_REMEDY = "Wait for more feedback (retrain.min_new_labels), or change retrain.holdout_share."


@dataclass(frozen=True)
class FreshSplit:
    """`dataset`: old and fresh training rows, with the old test rows. `holdout`: fresh rows that train nothing."""

    dataset: Dataset
    holdout: tuple[Row, ...]


def with_fresh(old: Dataset, fresh: Sequence[Row], *, holdout_share: float, seed: int) -> FreshSplit:
    """Set aside a share of the fresh rows for the comparison, and add the rest to train and validation (80/20).

    The old test rows stay as they are, and the holdout shares no text with anything that is trained on. So a fresh
    row is left out when the old test rows have its text, or when the old data has its text and label already; when
    the old data has its text with another label, the fresh label is the newer truth and the old row is left out.
    Raises DataError for labels that the old data lacks, and when no row is left to train or to compare on.
    """
    if not fresh:
        raise DataError("fresh rows", None, "expected labelled texts from production, found none.", _REMEDY)
    stripped = [replace(row, text=row.text.strip(), label=row.label.strip()) for row in fresh]
    _check_labels(old, stripped)
    rows, repeated = unique_rows(stripped)
    rows, tested = without_texts(rows, old.test)
    known = {(row.text, row.label): row for row in (*old.train, *old.validation)}
    # Of a text that has any new label all fresh rows stay, since the old rows with that text go.
    new = {row.text for row in rows if (row.text, row.label) not in known}
    learned = [(row, known[row.text, row.label]) for row in rows if row.text not in new]
    rows = [row for row in rows if row.text in new]
    train, outdated = without_texts(old.train, rows)
    validation, outdated_validation = without_texts(old.validation, rows)
    learning, holdout = split_stratified(rows, (1 - holdout_share, holdout_share), seed, each=True)
    if not learning or not holdout:
        raise DataError(
            stripped[0].file,
            None,
            f"expected fresh rows both to train and to compare on, found {len(rows)} usable of {len(fresh)} "
            f"({len(repeated)} stand twice, {len(tested)} are in the old test rows, {len(learned)} were trained on).",
            _REMEDY,
        )
    fresh_train, fresh_validation = split_stratified(
        learning, (1 - VALIDATION_SHARE, VALIDATION_SHARE), seed, each=False
    )
    _check_kept(old, [*train, *fresh_train])
    warnings = [
        *tell_left_out("Stand twice, so left out:", repeated),
        *tell_left_out("In the old test rows, so left out:", tested),
        *tell_left_out("Known from the old data, so left out:", learned),
        *tell_left_out(
            "Relabelled by fresh rows, so left out of the old data:",
            [*outdated, *outdated_validation],
        ),
    ]
    dataset = make_dataset([*train, *fresh_train], [*validation, *fresh_validation], old.test, warnings)
    return FreshSplit(dataset, canonical(holdout))


def _check_labels(old: Dataset, fresh: Sequence[Row]) -> None:
    unknown = [row for row in fresh if row.label not in old.labels]
    if unknown:
        labels = sorted({row.label for row in unknown})
        raise DataError(
            unknown[0].file,
            unknown[0].line,
            f"expected labels that the task knows, found {listed(labels)} in {count(len(unknown), 'fresh row')}.",
            "Correct the feedback; for new labels, add rows to the task's data and run `perennial train`.",
        )


def _check_kept(old: Dataset, train: Sequence[Row]) -> None:
    """A label whose every training text was relabelled would vanish from the model's answers."""
    lost = sorted(set(old.labels) - {row.label for row in train})
    if lost:
        raise DataError(
            "fresh rows",
            None,
            f"the fresh labels contradict every training row of {listed(lost)}.",
            "Check the feedback; if it is right, correct the task's data and run `perennial train`.",
        )
