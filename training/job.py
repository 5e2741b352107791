"""One retraining: from a request's folder to a successor and `result.json`.

`python -m training.job REQUEST_FOLDER --home HOME`. Run again after a crash it carries on: a result that is there is
left alone, and a release that was published for the request is reported, not trained a second time.
"""

from __future__ import annotations

import argparse
import logging
import os
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from rich.console import Console

from contracts.errors import BaseModelError, GateRefusedError, PerennialError, ReleaseCorruptError
from contracts.files import locked, write_atomic
from contracts.home import Home
from contracts.release import Manifest
from contracts.release_store import list_versions, verify_release
from contracts.retrain import (
    LABELLED_FILE,
    LOCK_FILE,
    REQUEST_FILE,
    RESULT_FILE,
    JobResult,
    RetrainRequest,
    read_request,
    read_result,
)
from training.compare import Succession
from training.dataset import thaw, with_fresh
from training.feasibility import check_feasible
from training.pipeline import train_on
from training.progress import Progress
from training.sources import read_rows

logger = logging.getLogger(__name__)


def run(home: Home, folder: Path, *, now: Callable[[], float] = time.time) -> JobResult:
    """Do what a request asks, once, and write its result: published, refused by the gate, or failed.

    Any error ends in a result that says so, since the controller waits for one.
    """
    with locked(folder / LOCK_FILE):
        if (earlier := read_result(folder)) is not None:
            return earlier
        started = now()
        attempt = _attempt(home, folder, now)
        finished = now()
        result = attempt.model_copy(update={"finished": finished, "seconds": max(0.0, finished - started)})
        write_atomic(folder / RESULT_FILE, result.model_dump_json(indent=2).encode())
        return result


def main(arguments: Sequence[str]) -> int:
    """0 when the request was answered with a release or a refusal, 1 when it failed."""
    parser = argparse.ArgumentParser(prog="python -m training.job", description="Run one retrain request.")
    parser.add_argument("folder", type=Path, help=f"the request's folder, which holds {REQUEST_FILE}")
    parser.add_argument("--home", help="the folder that the programs share (default: PERENNIAL_HOME)")
    given = parser.parse_args(arguments)
    if not given.folder.is_dir():
        print(f"{given.folder}: expected a retrain request's folder, found none. Name one.", file=sys.stderr)
        return 1
    try:
        result = run(Home.from_environment(os.environ, given.home), given.folder.resolve())
    except PerennialError as error:
        print(error, file=sys.stderr)
        return 1
    print(f"{result.status}: {result.detail}", file=sys.stderr)
    return 1 if result.status == "failed" else 0


def _attempt(home: Home, folder: Path, now: Callable[[], float]) -> JobResult:
    answer = JobResult(request_id=folder.name, status="failed", detail="", finished=0.0, seconds=0.0)
    try:
        request = read_request(folder)
        manifest = _already_published(home, request) or _retrain(home, request, folder, now)
    except GateRefusedError as error:
        return answer.model_copy(update={"status": "refused", "detail": str(error)})
    except PerennialError as error:
        return answer.model_copy(update={"detail": str(error)})
    except Exception as error:
        logger.exception("retraining for request %s", folder.name)
        detail = f"Unexpected {type(error).__name__}: {error}. The job's output has the whole of it."
        return answer.model_copy(update={"detail": detail})
    return answer.model_copy(update={"status": "published", "release": manifest.version, "detail": _describe(manifest)})


def _already_published(home: Home, request: RetrainRequest) -> Manifest | None:
    """The release that an earlier run, killed before it could say so, made for this request."""
    for version in reversed(list_versions(home, request.task)):
        try:
            manifest = verify_release(home, request.task, version)
        except ReleaseCorruptError:
            continue
        if manifest.lineage.request_id == request.id:
            return manifest
    return None


def _retrain(home: Home, request: RetrainRequest, folder: Path, now: Callable[[], float]) -> Manifest:
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
        fresh = read_rows(str(folder / LABELLED_FILE), text_column="text", label_column="label")
        split = with_fresh(old, fresh, holdout_share=spec.retrain.holdout_share, seed=spec.train.seed)
        stage.line(f"{len(split.dataset.train)} training texts, {len(split.holdout)} fresh texts held out")
        for warning in split.dataset.warnings:
            stage.line(f"warning: {warning}")
    succession = Succession(champion, request.id, split.holdout)
    return train_on(home, spec, base, split.dataset, succession=succession, progress=progress, now=now)


def _describe(manifest: Manifest) -> str:
    told = f"release {manifest.version}: accuracy {manifest.metrics['accuracy']:.4f} on the old test set"
    if (comparison := manifest.comparison) is None:
        return f"{told}."
    return (
        f"{told} (release {comparison.champion}: {comparison.old_test.champion_accuracy:.4f}); "
        f"{comparison.fresh.candidate_accuracy:.4f} on {comparison.fresh.rows} fresh texts "
        f"(release {comparison.champion}: {comparison.fresh.champion_accuracy:.4f})."
    )


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
