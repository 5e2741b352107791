"""`reference.npz`: how the deployed artefact behaved on held-out texts of the data it was trained for.

The monitor compares production with it; the service uses its projection. It holds numbers only, no text.
"""

from __future__ import annotations

import io
import struct
import tokenize
import zipfile
import zlib
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from contracts.errors import PerennialError

Floats = npt.NDArray[np.float32]
Integers = npt.NDArray[np.int64]


class ReferenceUnusableError(PerennialError):
    """A reference file that cannot be used."""


@dataclass(frozen=True)
class Reference:
    """n held-out texts (validation and test), k projected dimensions, h hidden dimensions."""

    predicted: Integers  # [n], index into the manifest's labels
    correct: npt.NDArray[np.bool_]  # [n], whether the prediction was right
    scores: Floats  # [n], calibrated score of the predicted label, 0..1
    lengths: Integers  # [n], tokens before truncation, special tokens included
    unknown_shares: Floats  # [n], share of tokens that the tokenizer does not know, 0..1
    fragmentation: Floats  # [n], word pieces (special tokens excluded) per whitespace-separated word
    projections: Floats  # [n, k]
    projection_mean: Floats  # [h]
    projection_components: Floats  # [h, k]; a projection is (embedding - mean) @ components

    @property
    def rows(self) -> int:
        """Held-out texts."""
        return int(self.predicted.shape[0])

    @property
    def accuracy(self) -> float:
        """Share of held-out texts predicted right, 0..1."""
        return float(self.correct.mean())

    def project(self, embeddings: Floats) -> Floats:
        """[batch, h] -> [batch, k]."""
        projected: Floats = ((embeddings - self.projection_mean) @ self.projection_components).astype(np.float32)
        return projected


_KINDS = {
    "predicted": "i", "correct": "b", "scores": "f", "lengths": "i", "unknown_shares": "f", "fragmentation": "f",
    "projections": "f", "projection_mean": "f", "projection_components": "f",
}  # fmt: skip

# What numpy and zipfile raise for archives that are cut, damaged, pickled, encrypted, or no archives at all.
_UNREADABLE = (OSError, EOFError, KeyError, ValueError, TypeError, NotImplementedError, RuntimeError, MemoryError,
               SyntaxError, zipfile.BadZipFile, zlib.error, struct.error, tokenize.TokenError)  # fmt: skip


def save_reference(path: Path, reference: Reference) -> None:
    """Write as an uncompressed, pickle-free npz."""
    buffer = io.BytesIO()
    np.savez(buffer, **{field.name: getattr(reference, field.name) for field in fields(reference)})
    path.write_bytes(buffer.getvalue())


def load_reference(path: Path) -> Reference:
    """Read and check shapes, types and finiteness; raises ReferenceUnusableError. Never unpickles."""
    try:
        # Not np.load, which also reads a bare array, and answers other members with their bytes.
        with zipfile.ZipFile(path) as archive:
            arrays = {name: _read_array(archive, name) for name in _KINDS}
    except _UNREADABLE as error:
        raise ReferenceUnusableError(
            f"{path}: expected a reference archive, found: {error}. Publish the release again."
        ) from error
    for name, kind in _KINDS.items():
        if arrays[name].dtype.kind != kind:
            raise ReferenceUnusableError(f"{path}: {name} has type {arrays[name].dtype}. Publish the release again.")
        if kind == "f" and not np.isfinite(arrays[name]).all():
            raise ReferenceUnusableError(f"{path}: {name} holds values that are not finite. Publish the release again.")
    if (arrays["predicted"] < 0).any():
        raise ReferenceUnusableError(f"{path}: predicted holds negative label indices. Publish the release again.")
    rows = arrays["predicted"].size
    hidden, dimensions = (*arrays["projection_components"].shape, 0, 0)[:2]
    expected: dict[str, tuple[int, ...]] = dict.fromkeys(_KINDS, (rows,))
    expected |= {
        "projections": (rows, dimensions),
        "projection_mean": (hidden,),
        "projection_components": (hidden, dimensions),
    }
    for name, shape in expected.items():
        if arrays[name].shape != shape or rows == 0:
            raise ReferenceUnusableError(
                f"{path}: {name} has shape {arrays[name].shape}, expected {shape}. Publish the release again."
            )
    return Reference(**arrays)


def _read_array(archive: zipfile.ZipFile, name: str) -> npt.NDArray[Any]:
    with archive.open(f"{name}.npy") as member:
        array: npt.NDArray[Any] = np.lib.format.read_array(member, allow_pickle=False)
        # Only at its end does zipfile compare the checksum.
        if member.read(1):
            raise ValueError(f"{name} is longer than its header says")
        return array
