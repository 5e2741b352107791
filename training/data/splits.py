"""The data set: three splits in canonical order, and the fingerprint of what they hold."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from training.data.row_kinds import outputs_of
from training.data.rows import Row

SPLITS = ("train", "validation", "test")
_SCHEME = b"perennial data set 1\n"


@dataclass(frozen=True)
class LeftOut:
    """Rows of a split that were left out of it."""

    split: str
    reason: str  # "duplicate", or "in test", "in validation": the split that keeps their texts
    rows: int


@dataclass(frozen=True)
class Dataset:
    """Three splits that share no text.

    Each split stands in canonical order (by the sha256 of its rows' content), so that the same content gives
    the same training run whatever the order of the lines that it was read from; that order is as good as
    shuffled. `labels` is in the order of a model's logits. `fingerprint` is a sha256 over the splits' content, files
    and lines left out.
    """

    train: tuple[Row, ...]
    validation: tuple[Row, ...]
    test: tuple[Row, ...]
    labels: tuple[str, ...]
    fingerprint: str
    warnings: tuple[str, ...] = ()
    left_out: tuple[LeftOut, ...] = ()


def make_dataset(
    train: Iterable[Row],
    validation: Iterable[Row],
    test: Iterable[Row],
    warnings: Sequence[str] = (),
    left_out: Sequence[LeftOut] = (),
) -> Dataset:
    """Put the splits in canonical order and take their fingerprint. The labels are of the training split."""
    ordered = [canonical(rows) for rows in (train, validation, test)]
    return Dataset(
        train=ordered[0],
        validation=ordered[1],
        test=ordered[2],
        labels=outputs_of(ordered[0]),
        fingerprint=fingerprint_of([encode(rows) for rows in ordered]),
        warnings=tuple(warnings),
        left_out=tuple(left_out),
    )


def canonical(rows: Iterable[Row]) -> tuple[Row, ...]:
    """The rows by the sha256 of their content; equal ones keep their order."""
    return tuple(sorted(rows, key=lambda row: hashlib.sha256(encode_row(row)).digest()))


def encode_row(row: Row) -> bytes:
    """One line of a frozen split."""
    return json.dumps(row.content(), ensure_ascii=False).encode() + b"\n"


def encode(rows: Iterable[Row]) -> bytes:
    """The content of a frozen split's file."""
    return b"".join(encode_row(row) for row in rows)


def fingerprint_of(contents: Sequence[bytes]) -> str:
    """Hex sha256 over the three frozen files' names and digests."""
    digest = hashlib.sha256(_SCHEME)
    for name, content in zip(SPLITS, contents, strict=True):
        digest.update(f"{name} {hashlib.sha256(content).hexdigest()}\n".encode())
    return digest.hexdigest()
