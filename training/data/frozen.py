"""Data sets kept in a home under their fingerprint, so that a retraining starts from exactly the old data."""

from __future__ import annotations

import json
import shutil
import uuid
from pathlib import Path

from contracts.errors import DataError
from contracts.files import locked, sync_folder, write_atomic
from contracts.home import Home
from training.data.row_kinds import outputs_of, row_from
from training.data.rows import Row
from training.data.splits import SPLITS, Dataset, encode, fingerprint_of

_STAGING = ".staging-"
_REMEDY = "Train the task anew with `perennial train`, which freezes its data again."


def freeze(home: Home, task: str, dataset: Dataset) -> Path:
    """Write `train.jsonl`, `validation.jsonl` and `test.jsonl` under the data set's fingerprint, all or nothing.

    What is there already and whole is left as it is; what is damaged is replaced. Safe for two at once.
    """
    folder = home.dataset(task, dataset.fingerprint)
    with locked(folder.parent / ".lock"):
        # Under the lock nobody else is staging: these were left by processes that were killed.
        for left in folder.parent.glob(f"{_STAGING}*"):
            shutil.rmtree(left)
        if folder.exists():
            if fingerprint_of(_read(folder)) == dataset.fingerprint:
                return folder
            shutil.rmtree(folder)
        staged = folder.with_name(f"{_STAGING}{uuid.uuid4().hex[:12]}")
        for name in SPLITS:
            write_atomic(staged / f"{name}.jsonl", encode(getattr(dataset, name)))
        staged.rename(folder)
        sync_folder(folder.parent)
    return folder


def thaw(home: Home, task: str, fingerprint: str) -> Dataset:
    """The frozen data set of a fingerprint; its rows name the frozen files and lines, and it has no warnings.

    Raises DataError when it is missing, or when its content has another fingerprint.
    """
    folder = home.dataset(task, fingerprint)
    if not folder.is_dir():
        raise DataError(folder, None, "expected the frozen data of an earlier training, found none.", _REMEDY)
    contents = _read(folder)
    found = fingerprint_of(contents)
    if found != fingerprint:
        raise DataError(
            folder,
            None,
            f"the frozen data is damaged: expected fingerprint {fingerprint[:12]}.., found {found[:12]}...",
            f"Restore the folder from a backup, or remove it. {_REMEDY}",
        )
    splits = [_rows(folder / f"{name}.jsonl", content) for name, content in zip(SPLITS, contents, strict=True)]
    return Dataset(splits[0], splits[1], splits[2], outputs_of(splits[0]), found)


def _read(folder: Path) -> list[bytes]:
    """The three files' content; one that is missing reads as empty, which no fingerprint fits."""
    return [path.read_bytes() if (path := folder / f"{name}.jsonl").is_file() else b"" for name in SPLITS]


def _rows(path: Path, content: bytes) -> tuple[Row, ...]:
    values = [json.loads(line) for line in content.decode().split("\n") if line]
    return tuple(row_from(value, str(path), line) for line, value in enumerate(values, start=1))
