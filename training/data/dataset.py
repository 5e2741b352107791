"""From a task's data files to three clean splits, or to an error that says what to mend."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import replace

from contracts.errors import DataError
from contracts.task import DataSpec, TaskSpec
from training.data.findings import (
    count,
    listed,
    place,
    tell_contradictions,
    tell_damaged,
    tell_imbalance,
    tell_left_out,
    tell_lookalikes,
    tell_unknown_ignored,
    tell_untested,
    unique_rows,
    without_texts,
)
from training.data.fresh import FreshSplit, with_fresh
from training.data.frozen import freeze, thaw
from training.data.rows import Row
from training.data.sources import read_rows
from training.data.splits import Dataset, make_dataset
from training.data.stratify import split_stratified, strata

__all__ = ["Dataset", "FreshSplit", "freeze", "load_dataset", "thaw", "with_fresh"]

MAX_LABELS = 1000


def load_dataset(spec: TaskSpec) -> Dataset:
    """Read, check and split a task's data; the same rows and seed give the same splits in any order of lines.

    Surrounding whitespace is stripped from texts and labels; nothing else is changed, since the service does not
    clean its input either. A text and label that stand twice count once, except in a test split that was given,
    which is left as it is. No text is in two splits: test keeps it, then validation.
    Raises DataError naming file and line; what can be lived with is in `warnings`.
    """
    data = spec.data
    named = {"train": data.path or data.train, "validation": data.validation, "test": data.test}
    warnings: list[str] = []
    splits = {name: _read(data, source) for name, source in named.items() if source is not None}
    found = {row.label for rows in splits.values() for row in rows}
    warnings += tell_unknown_ignored(data.ignore_labels, found)
    for name, source in named.items():
        if source is not None:
            splits[name] = _wanted(splits[name], name, source, data)
    source = str(named["train"])
    _check_labels(source, splits["train"], found - set(data.ignore_labels), data)
    every = [row for rows in splits.values() for row in rows]
    warnings += tell_lookalikes({row.label for row in every})
    warnings += tell_contradictions(every) + tell_damaged(every)
    warnings += _separate(splits)
    _check_known(splits)
    _split_off(splits, data, spec.train.seed)
    warnings += tell_imbalance(splits["train"]) + tell_untested(splits["train"], splits["test"])
    return make_dataset(splits["train"], splits["validation"], splits["test"], warnings)


def _read(data: DataSpec, source: str) -> list[Row]:
    rows = read_rows(source, text_column=data.text_column, label_column=data.label_column)
    return [replace(row, text=row.text.strip(), label=row.label.strip()) for row in rows]


def _wanted(rows: Sequence[Row], name: str, source: str, data: DataSpec) -> list[Row]:
    kept = [row for row in rows if row.label not in data.ignore_labels]
    if not kept:
        raise DataError(
            source,
            None,
            f"no row of the {name} data is left without those of ignore_labels.",
            "Remove labels from ignore_labels.",
        )
    return kept


def _check_labels(source: str, train: Sequence[Row], labels: Iterable[str], data: DataSpec) -> None:
    """Raises when the label column cannot be one: one class, or so many that it is likely text."""
    found = sorted(labels)
    if len(found) > MAX_LABELS:
        raise DataError(
            source,
            train[0].line,
            f"expected at most {MAX_LABELS} labels, found {len(found)}, such as {listed(found, 3)}.",
            f"Check that `label_column` ({data.label_column!r}) and `text_column` ({data.text_column!r}) "
            "are not exchanged.",
        )
    present = sorted({row.label for row in train})
    if len(present) < 2:
        raise DataError(
            source,
            train[0].line,
            f"expected at least two labels to tell apart, found {listed(present)} on every row.",
            f"Add rows of other labels, or check `label_column` ({data.label_column!r}) and ignore_labels.",
        )


def _separate(splits: dict[str, list[Row]]) -> list[str]:
    """Removes rows that stand twice, and texts that a later split has too; what was removed comes back told."""
    warnings = []
    for name, rows in splits.items():
        unique, repeated = unique_rows(rows)
        if name == "test":
            warnings += tell_left_out("Exact duplicates, left in the test rows:", repeated)
        else:
            splits[name] = unique
            warnings += tell_left_out(f"Exact duplicates, removed from the {name} rows:", repeated)
    for name, later in (("validation", "test"), ("train", "test"), ("train", "validation")):
        if name in splits and later in splits:
            kept, shared = without_texts(splits[name], splits[later])
            if not kept:
                raise DataError(
                    shared[0][0].file,
                    shared[0][0].line,
                    f"every text of the {name} rows is in the {later} rows too ({shared[0][1].file}).",
                    "Give different files, or leave one out: the split is then made here.",
                )
            splits[name] = kept
            warnings += tell_left_out(f"In the {later} rows too, so removed from the {name} rows:", shared)
    return warnings


def _check_known(splits: dict[str, list[Row]]) -> None:
    """Raises when a given validation or test split has labels that could not be learned."""
    known = {row.label for row in splits["train"]}
    for name, rows in splits.items():
        unknown = [row for row in rows if row.label not in known]
        if unknown:
            labels = sorted({row.label for row in unknown})
            raise DataError(
                unknown[0].file,
                unknown[0].line,
                f"no training rows for {count(len(labels), 'label')} of the {name} rows: {listed(labels)}.",
                "Add training rows for them, write them as in the training data, or name them in ignore_labels.",
            )


def _split_off(splits: dict[str, list[Row]], data: DataSpec, seed: int) -> None:
    """Makes the splits that were not given out of the training rows, stratified."""
    names = [name for name in ("train", "validation", "test") if name == "train" or name not in splits]
    if len(names) == 1:
        return
    _check_enough(splits["train"], names)
    shares = dict(zip(("train", "validation", "test"), data.split, strict=True))
    whole = sum(shares[name] for name in names)
    parts = split_stratified(splits["train"], [shares[name] / whole for name in names], seed, each=True)
    splits.update(zip(names, parts, strict=True))


def _check_enough(train: Sequence[Row], names: Sequence[str]) -> None:
    """Raises when a label has too few texts to be in each split that is made."""
    counted = strata(train)
    rows_of: dict[str, list[Row]] = defaultdict(list)
    for row in train:
        rows_of[row.label].append(row)
    rare = [label for label in sorted(rows_of) if len(counted.get(label, ())) < len(names)]
    if not rare:
        return
    shown = "; ".join(
        f"{label!r} has {len(rows_of[label])} ({', '.join(place(row, train[0]) for row in rows_of[label][:5])})"
        for label in rare[:5]
    )
    more = f"; and {count(len(rare) - 5, 'label')} more" if len(rare) > 5 else ""
    raise DataError(
        rows_of[rare[0]][0].file,
        rows_of[rare[0]][0].line,
        f"expected at least {len(names)} different texts a label, one each for {', '.join(names)}; "
        f"found too few: {shown}{more}.",
        "Add rows for these labels, or name them in ignore_labels under [data] of the task file.",
    )
