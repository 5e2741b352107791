"""Training a champion's successor from a retrain request."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

from rich.console import Console

from contracts.errors import BaseModelError, ReleaseCorruptError, ReleaseNotFoundError
from contracts.home import Home
from contracts.release import Manifest
from contracts.release_store import list_versions, read_manifest, verify_release
from contracts.retrain import LABELLED_FILE, RetrainRequest
from training.data.dataset import thaw, with_fresh
from training.data.sources import read_usable_rows
from training.evaluation.compare import Succession
from training.feasibility import check_feasible
from training.pipeline import train_on
from training.progress import Progress


def find_published(home: Home, request: RetrainRequest) -> Manifest | None:
    """The release that an earlier run, killed before it could say so, made for this request."""
    for version in reversed(list_versions(home, request.task)):
        try:
            # Its manifest first: hashing the files of every release that there is would take longer each time.
            if read_manifest(home, request.task, version).lineage.request_id == request.id:
                return verify_release(home, request.task, version)
        except (ReleaseCorruptError, ReleaseNotFoundError):
            continue
    return None


def retrain(home: Home, request: RetrainRequest, folder: Path, now: Callable[[], float]) -> Manifest:
    """Old and fresh data together, from the champion's base model, compared with the champion on unseen texts."""
    progress = Progress(Console(stderr=True))
    champion = verify_release(home, request.task, request.parent)
    spec = request.spec.model_copy(
        update={
            "model": champion.spec.model,
            "train": request.spec.train.model_copy(update={"epochs": request.spec.retrain.epochs}),
        }
    )
    base = check_feasible(spec)
    if base.sha256 != champion.lineage.base_sha256:
        raise BaseModelError(
            f"Base model {base.name}: its weights have sha256 {base.sha256[:12]}.., release "
            f"{champion.task}/{champion.version} was made from {champion.lineage.base_sha256[:12]}... Put the "
            "original weights back, or train the task anew with `perennial train`."
        )
    with progress.stage("data", "Reading the old data and the fresh labels") as stage:
        old = thaw(home, request.task, champion.lineage.data_fingerprint)
        fresh = read_usable_rows(str(folder / LABELLED_FILE), text_column="text", label_column="label")
        split = with_fresh(old, fresh.rows, holdout_share=spec.retrain.holdout_share, seed=spec.train.seed)
        stage.line(f"{len(split.dataset.train)} training texts, {len(split.holdout)} fresh texts held out")
        for warning in (*fresh.warnings, *split.dataset.warnings):
            stage.line(f"warning: {warning}")
    times = _times(folder / LABELLED_FILE)
    since = _drift_began(request)
    drifted = tuple(row for row in split.holdout if times.get(row.line, 0.0) >= since)
    succession = Succession(champion, request.id, split.holdout, drifted)
    return train_on(home, spec, base, split.dataset, succession=succession, progress=progress, now=now)


def _drift_began(request: RetrainRequest) -> float:
    """Time of the first record of the drifted windows; 0, which is all of time, where it is not known."""
    evidence = request.evidence
    return (evidence.run_started if evidence is not None else None) or 0.0


def _times(labelled: Path) -> dict[int, float]:
    """When each row of the snapshot was predicted, by its line from 1. The snapshot's checksum was verified."""
    lines = labelled.read_text(encoding="utf-8").split("\n")
    return {number: float(json.loads(line).get("time", 0.0)) for number, line in enumerate(lines, start=1) if line}


def describe(manifest: Manifest) -> str:
    """A successor in one sentence."""
    told = f"release {manifest.version}: accuracy {manifest.metrics['accuracy']:.4f} on the old test set"
    if (comparison := manifest.comparison) is None:
        return f"{told}."
    return (
        f"{told} (release {comparison.champion}: {comparison.old_test.champion_accuracy:.4f}); "
        f"{comparison.fresh.candidate_accuracy:.4f} on {comparison.fresh.rows} fresh texts "
        f"(release {comparison.champion}: {comparison.fresh.champion_accuracy:.4f})."
    )
