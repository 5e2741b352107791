"""Training a champion's successor from a retrain request."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path

import torch
from rich.console import Console

from contracts.errors import BaseModelError, ReleaseCorruptError, ReleaseNotFoundError, TrainingError
from contracts.home import Home
from contracts.release import Manifest
from contracts.release_store import list_versions, read_manifest, verify_release
from contracts.retrain import LABELLED_FILE, UNLABELLED_FILE, RetrainRequest
from contracts.task import TaskSpec
from training.artefact.onnx_artefact import Artefact
from training.data.dataset import thaw, with_fresh
from training.data.rows import Row
from training.data.sources import read_usable_rows
from training.data.splits import Dataset
from training.evaluation.compare import Succession
from training.feasibility import check_feasible
from training.pipeline import train_on
from training.progress import Progress
from training.recipes.replay import forgetting_risks, replay


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
    """Old and fresh data together, from the champion's base model, compared with the champion on unseen texts.

    Raises TrainingError for kinds of task whose true labels production does not send.
    """
    progress = Progress(Console(stderr=True))
    champion = verify_release(home, request.task, request.parent)
    spec = request.spec.model_copy(
        update={
            "model": champion.spec.model,
            "train": request.spec.train.model_copy(update={"epochs": request.spec.retrain.epochs}),
        }
    )
    if spec.kind != "classification" or spec.multi_label:
        kind = "several labels a text" if spec.multi_label else spec.kind
        raise TrainingError(
            f"Task {request.task} is for {kind}, and retraining from production is for classification with one label a "
            "text. Add rows to the task's data and run `perennial train`."
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
        train = _replayed(home, spec, champion, old, split.dataset)
        stage.line(
            f"{len(train)} training texts (of {len(split.dataset.train)}), {len(split.holdout)} fresh texts held out"
        )
        for warning in (*fresh.warnings, *split.dataset.warnings):
            stage.line(f"warning: {warning}")
    times = _times(folder / LABELLED_FILE)
    since = _drift_began(request)
    drifted = tuple(row for row in split.holdout if times.get(row.line, 0.0) >= since)
    unlabelled = tuple(_unlabelled(folder / UNLABELLED_FILE))
    succession = Succession(champion, request.id, split.holdout, drifted, train, unlabelled)
    return train_on(home, spec, base, split.dataset, succession=succession, progress=progress, now=now)


def _replayed(home: Home, spec: TaskSpec, champion: Manifest, old: Dataset, dataset: Dataset) -> tuple[Row, ...]:
    """The training rows to learn from: all fresh ones and the share of old ones that the task asks for."""
    wanted = spec.retrain
    known = {(row.text, row.label) for row in old.train}
    rows = [row for row in dataset.train if (row.text, row.label) in known]
    if wanted.replay_share == 1.0 or not rows:
        return dataset.train
    risks = None
    if wanted.replay_choice == "at-risk":
        folder = home.release(champion.task, champion.version)
        deployed = Artefact.of_release(folder, champion.max_tokens, threads=torch.get_num_threads())
        logits = deployed.run([row.text for row in rows]).logits
        risks = forgetting_risks(rows, logits, champion.labels)
    return replay(dataset.train, rows, wanted.replay_share, spec.train.seed, risks)


def _unlabelled(path: Path) -> Iterator[str]:
    """The snapshot's texts without a label; its checksum was verified."""
    for line in path.read_text(encoding="utf-8").split("\n") if path.is_file() else ():
        if line:
            yield str(json.loads(line)["text"])


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
