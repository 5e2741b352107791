"""From a task to a release, told from top to bottom."""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

import torch
from rich.console import Console

from contracts.errors import GateRefusedError
from contracts.home import Home
from contracts.reference import save_reference
from contracts.release import (
    CARD_FILE,
    METRICS_FILE,
    MODEL_FILE,
    REFERENCE_FILE,
    REPORT_FILE,
    TOKENIZER_FILE,
    Lineage,
    Manifest,
)
from contracts.release_store import publish, staging
from contracts.task import TaskSpec
from training.artefact.export import check_agreement, export_onnx
from training.artefact.lineage import library_versions, source_commit
from training.artefact.onnx_artefact import Artefact
from training.artefact.quantize import quantize, this_machine
from training.artefact.scales import fix_scales
from training.artefact.speed import measure_speed
from training.artefact.tokenizer import write_tokenizer
from training.checkpoints import kept_until_published, thrown_away, training_key
from training.data.dataset import Dataset, freeze, load_dataset
from training.data.profile import profile
from training.evaluation.compare import Succession, compare
from training.evaluation.gate import judge, refusals
from training.feasibility import check_feasible, pinned
from training.kinds.kind import headline
from training.kinds.kinds import kind_of
from training.learning.base_model import BaseModel
from training.learning.group import current_group
from training.learning.learn import Learned, learn
from training.progress import Progress
from training.recipes.preparation import prepare
from training.recipes.study_section import study_section
from training.report.card import model_card
from training.report.page import report_html
from training.report.story import Story, metrics_json
from training.room import told_when_full

_TOKENIZER_SAMPLE = 256
_AGREEMENT_SAMPLE = 16
_SCALES_SAMPLE = 256


def train(home: Home, spec: TaskSpec, *, now: Callable[[], float] = time.time) -> Manifest:
    """Train a task from its data and publish the artefact; it is not promoted.

    Raises a PerennialError that says what to do; GateRefusedError when the artefact is not good enough.
    """
    progress = Progress(Console(stderr=True, quiet=not current_group().leads))
    base = check_feasible(spec)
    with progress.stage("data", "Reading the data") as stage:
        dataset = load_dataset(spec)
        stage.line(f"{len(dataset.train)} training, {len(dataset.validation)} validation and {len(dataset.test)} test")
        for warning in dataset.warnings:
            stage.line(f"warning: {warning}")
    return train_on(home, spec, base, dataset, progress=progress, now=now)


def train_on(
    home: Home,
    spec: TaskSpec,
    base: BaseModel,
    dataset: Dataset,
    *,
    succession: Succession | None = None,
    progress: Progress,
    now: Callable[[], float],
) -> Manifest:
    """Train on a data set, measure the artefact as deployed, and publish it if its gate lets it.

    Of several processes that train together, the leading one alone writes anything; all return its manifest.
    """
    kind = kind_of(spec)
    cores = torch.get_num_threads()
    group = current_group()
    prepared = prepare(home, spec, dataset, succession, progress)
    lesson = partial(learn, spec, base, prepared.dataset, unlabelled=prepared.unlabelled, progress=progress)
    if not group.leads:
        with thrown_away() as folder:
            sample = kind.texts(dataset.train[:_TOKENIZER_SAMPLE])
            tokenizer = write_tokenizer(base, folder / TOKENIZER_FILE, sample=sample, clean=spec.clean)
            lesson(tokenizer, folder=folder)
        return group.share(None)
    freeze(home, spec.name, dataset)
    key = training_key(spec, base, dataset.fingerprint)
    with (
        told_when_full(home.root),
        kept_until_published(home, spec.name, key, progress) as kept,
        staging(home, spec.name) as staged,
    ):
        work = staged / "work"
        work.mkdir()
        sample = kind.texts(dataset.train[:_TOKENIZER_SAMPLE])
        tokenizer = write_tokenizer(base, staged / TOKENIZER_FILE, sample=sample, clean=spec.clean)
        learned = lesson(tokenizer, folder=kept)
        scheme = _make_artefact(learned, staged, work, spec.model.max_tokens, cores, progress)

        with progress.stage("evaluate", "Evaluating the artefact as deployed") as stage:
            artefact = Artefact.of_release(staged, spec.model.max_tokens, threads=cores)
            drifted = succession.drifted if succession else ()
            measured = kind.measure(artefact, learned.model, dataset, stage, spec=spec, drifted=drifted)
            save_reference(staged / REFERENCE_FILE, measured.reference)
        with progress.stage("speed", "Measuring its speed on one core"):
            alone = Artefact.of_release(staged, spec.model.max_tokens, threads=1)
            speed = measure_speed(
                alone, kind.texts(dataset.test), lambda texts: kind.read(texts, alone.tokenizer, spec)
            )
        with progress.stage("floors", "Training simple baselines to compare with"):
            floors = kind.floors(dataset, measured, base=base, tokenizer=tokenizer, spec=spec)
        comparison = None
        if succession is not None:
            with progress.stage("compare", f"Comparing with release {succession.champion.version}") as stage:
                comparison = compare(home, succession, artefact, kind, dataset, stage, threads=cores)

        metrics = headline(measured, floors, speed, (staged / MODEL_FILE).stat().st_size)
        verdicts = judge(spec.gate, metrics)
        if reasons := refusals(verdicts, spec.gate, measured.rows):
            raise GateRefusedError(spec.name, reasons)

        manifest = Manifest(
            task=spec.name,
            kind=spec.kind,
            created=now(),
            labels=kind.labels(dataset),
            temperature=measured.temperature,
            thresholds=measured.thresholds,
            null_threshold=measured.null_threshold,
            outcomes=measured.outcomes,
            max_tokens=spec.model.max_tokens,
            token_type_ids=artefact.token_type_ids,
            metrics=metrics,
            gate=verdicts,
            lineage=Lineage(
                base_model=base.name,
                base_sha256=base.sha256,
                data_fingerprint=dataset.fingerprint,
                commit=source_commit(),
                parent=succession.champion.version if succession else None,
                request_id=succession.request_id if succession else None,
                seed=spec.train.seed,
                versions=library_versions(),
            ),
            comparison=comparison,
            spec=pinned(spec, base),
        )
        study = study_section(home, spec)
        story = Story(manifest, measured, learned, dataset, scheme, dict(progress.seconds), profile(dataset), study)
        (staged / METRICS_FILE).write_text(metrics_json(story), encoding="utf-8")
        (staged / REPORT_FILE).write_text(report_html(story), encoding="utf-8")
        (staged / CARD_FILE).write_text(model_card(story), encoding="utf-8")
        shutil.rmtree(work)
        return group.share(publish(home, staged, manifest))


def _make_artefact(learned: Learned, staged: Path, work: Path, max_tokens: int, cores: int, progress: Progress) -> str:
    """Export, hold the export against the network, quantize; returns the int8 scheme."""
    fp32 = work / "fp32.onnx"
    with progress.stage("export", "Exporting to ONNX"):
        export_onnx(learned.model, fp32)
        exported = Artefact(fp32, staged / TOKENIZER_FILE, max_tokens, threads=1)
        sample = learned.validation.first(_AGREEMENT_SAMPLE)
        check_agreement(learned.model, exported, sample.ids, sample.segments)
    with progress.stage("quantize", "Quantizing to int8"):
        scheme = this_machine()
        quantize(fp32, staged / MODEL_FILE, learned.model.config, scheme)
        sample = learned.validation.first(_SCALES_SAMPLE)
        fix_scales(staged / MODEL_FILE, staged / TOKENIZER_FILE, sample.ids, sample.segments, threads=cores)
    return scheme
