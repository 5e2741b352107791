"""The splits that a task file does not give, made of its training rows."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence

from contracts.errors import DataError
from contracts.task import DataSpec
from training.data.findings import count, place
from training.data.row_kinds import is_single_label
from training.data.rows import Row, shorten
from training.data.splits import SPLITS
from training.data.stratify import split_by_names, split_by_time, split_stratified, strata, units


def split_off(splits: dict[str, list[Row]], data: DataSpec, seed: int) -> None:
    """Makes the splits that were not given: stratified, or by time, the newest rows last.

    Raises DataError where there is too little for each split.
    """
    names = [name for name in SPLITS if name == "train" or name not in splits]
    if len(names) == 1:
        return
    shares = dict(zip(SPLITS, data.split, strict=True))
    whole = sum(shares[name] for name in names)
    parts = _parts(splits["train"], names, [shares[name] / whole for name in names], data, seed)
    empty = [name for name, part in zip(names, parts, strict=True) if not part]
    if empty:
        first = splits["train"][0]
        found = len(units(splits["train"]))
        raise DataError(
            first.file,
            first.line,
            f"expected rows enough for {', '.join(names)}, found {found} that may be parted; none is left for "
            f"{', '.join(empty)}.",
            "Add rows, or give the splits as files.",
        )
    splits.update(zip(names, parts, strict=True))


def _parts(
    train: Sequence[Row], names: Sequence[str], shares: Sequence[float], data: DataSpec, seed: int
) -> list[list[Row]]:
    if data.time_column is not None:
        return split_by_time(train, shares)
    if is_single_label(train):
        _check_enough(train, names)
        return split_stratified(train, shares, seed, each=True)
    return split_by_names(train, shares, seed)


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
        f"{shorten(label)!r} has {len(rows_of[label])} "
        f"({', '.join(place(row, train[0]) for row in rows_of[label][:5])})"
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
