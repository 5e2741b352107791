"""What a window is compared with: the stable release's reference, checked before it is believed."""

from __future__ import annotations

from dataclasses import dataclass

from contracts.errors import ReleaseCorruptError
from contracts.files import sha256_file
from contracts.home import Home
from contracts.reference import load_reference
from contracts.release import REFERENCE_FILE, Manifest
from contracts.release_store import read_manifest
from monitoring.accuracy import fit_threshold
from monitoring.window import Sample


@dataclass(frozen=True)
class Baseline:
    """A release as the monitor sees it."""

    manifest: Manifest
    sample: Sample
    accuracy: float  # on the reference's texts, 0..1
    threshold: float  # of average thresholded confidence


def load_baseline(home: Home, task: str, version: str, sha256: str | None = None) -> Baseline:
    """Read a release's manifest (of this sha256, where it is known) and reference; the model itself is not opened.

    Raises ReleaseNotFoundError, ReleaseCorruptError or ReferenceUnusableError.
    """
    manifest = read_manifest(home, task, version, sha256=sha256)
    entry = manifest.files.get(REFERENCE_FILE)
    if entry is None:
        raise ReleaseCorruptError(task, version, f"its manifest does not list {REFERENCE_FILE}.")
    path = home.release(task, version) / REFERENCE_FILE
    if not path.is_file():
        raise ReleaseCorruptError(task, version, f"{REFERENCE_FILE} is listed in the manifest and is not a file there.")
    digest = sha256_file(path)
    if digest != entry.sha256:
        raise ReleaseCorruptError(
            task, version, f"{REFERENCE_FILE} has sha256 {digest[:12]}.., the manifest says {entry.sha256[:12]}..."
        )
    reference = load_reference(path)
    if int(reference.predicted.min()) < 0 or int(reference.predicted.max()) >= len(manifest.logged_labels):
        raise ReleaseCorruptError(
            task, version, f"{REFERENCE_FILE} holds labels beyond the manifest's {len(manifest.logged_labels)}."
        )
    return Baseline(
        manifest=manifest,
        sample=Sample(
            labels=reference.predicted,
            scores=reference.scores,
            lengths=reference.lengths,
            unknown_shares=reference.unknown_shares,
            fragmentation=reference.fragmentation,
            projections=reference.projections,
        ),
        accuracy=reference.accuracy,
        threshold=fit_threshold(reference.scores, reference.correct),
    )
