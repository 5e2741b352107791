"""From a task's data files to three clean splits, or to an error that says what to mend."""

from __future__ import annotations

from collections.abc import Sequence

from contracts.errors import DataError
from contracts.task import DataSpec, TaskSpec
from training.data.cleaned import tell_cleaned
from training.data.findings import (
    count,
    listed,
    tell_contradictions,
    tell_damaged,
    tell_imbalance,
    tell_left_out,
    tell_lookalikes,
    tell_missing,
    tell_overlong,
    tell_unknown_ignored,
    tell_untested,
    unique_rows,
    without_texts,
)
from training.data.fresh import FreshSplit, with_fresh
from training.data.frozen import freeze, thaw
from training.data.row_kinds import read_split
from training.data.rows import Row
from training.data.sound import check_names, names_of
from training.data.splits import Dataset, LeftOut, make_dataset
from training.data.splitting import split_off

__all__ = ["Dataset", "FreshSplit", "freeze", "load_dataset", "thaw", "with_fresh"]


def load_dataset(spec: TaskSpec) -> Dataset:
    """Read, check and split a task's data; the same rows and seed give the same splits in any order of lines.

    Surrounding whitespace is stripped from texts and labels; nothing else is changed here (`[clean]` is a part of the
    tokenizer). A text and label that stand twice count once, except in a test split that was given,
    which is left as it is. No text is in two splits: test keeps it, then validation. Splits made here are stratified,
    or by time where `time_column` is given. The rows are those of the task's kind (see `row_kinds`).
    Raises DataError naming file and line; what can be lived with is in `warnings`.
    """
    data = spec.data
    named = {"train": data.path or data.train, "validation": data.validation, "test": data.test}
    warnings: list[str] = []
    splits = {name: read_split(source, spec) for name, source in named.items() if source is not None}
    found = names_of(row for rows in splits.values() for row in rows)
    warnings += tell_unknown_ignored(data.ignore_labels, found)
    for name, source in named.items():
        if source is not None:
            splits[name] = _wanted(splits[name], name, source, data)
    check_names(str(named["train"]), splits["train"], found - set(data.ignore_labels), data)
    every = [row for rows in splits.values() for row in rows]
    warnings += tell_lookalikes(names_of(every)) + tell_missing(every)
    warnings += tell_contradictions(every, texts=spec.limits.log_text) + tell_damaged(every)
    warnings += tell_overlong(every, spec.limits)
    left_out = _separate(splits, warnings)
    _check_known(splits)
    split_off(splits, data, spec.train.seed)
    _check_known(splits)
    warnings += tell_cleaned(splits, spec.clean)
    warnings += tell_imbalance(splits["train"]) + tell_untested(splits["train"], splits["test"])
    return make_dataset(splits["train"], splits["validation"], splits["test"], warnings, left_out)


def _wanted(rows: Sequence[Row], name: str, source: str, data: DataSpec) -> list[Row]:
    kept = [row for one in rows if (row := one.without(data.ignore_labels)) is not None]
    if not kept:
        raise DataError(
            source,
            None,
            f"no row of the {name} data is left without those of ignore_labels.",
            "Remove labels from ignore_labels.",
        )
    return kept


def _separate(splits: dict[str, list[Row]], warnings: list[str]) -> list[LeftOut]:
    """Removes rows that stand twice, and texts that a later split has too; what was removed is told."""
    left_out = []
    for name, rows in splits.items():
        unique, repeated = unique_rows(rows)
        if name == "test":
            warnings += tell_left_out("Exact duplicates, left in the test rows:", repeated)
        else:
            splits[name] = unique
            warnings += tell_left_out(f"Exact duplicates, removed from the {name} rows:", repeated)
            left_out.append(LeftOut(name, "duplicate", len(repeated)))
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
            left_out.append(LeftOut(name, f"in {later}", len(shared)))
    return left_out


def _check_known(splits: dict[str, list[Row]]) -> None:
    """Raises when a given validation or test split has labels that could not be learned."""
    known = names_of(splits["train"])
    for name, rows in splits.items():
        unknown = [row for row in rows if not known.issuperset(row.names)]
        if unknown:
            labels = sorted(names_of(unknown) - known)
            raise DataError(
                unknown[0].file,
                unknown[0].line,
                f"no training rows for {count(len(labels), 'label')} of the {name} rows: {listed(labels)}.",
                "Add training rows for them, write them as in the training data, or name them in ignore_labels.",
            )
