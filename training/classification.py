"""Measuring a text classifier as it will be deployed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from contracts.reference import Integers, Reference
from training.artefact import Artefact, Outputs, Tokenized
from training.baselines import Floors
from training.calibration import fit_temperature
from training.classifier import TextClassifier, torch_logits
from training.dataset import Dataset
from training.evaluate import Evaluation, evaluate
from training.progress import Stage
from training.reference import MAX_ROWS, build_reference, fit_projection
from training.rows import Row
from training.speed import Speed

_PROJECTION_ROWS = 2000


@dataclass(frozen=True)
class Measured:
    """What the deployed artefact does on the test set, and the reference over validation and test."""

    evaluation: Evaluation
    fp32_accuracy: float
    validation_accuracy: float
    temperature: float
    reference: Reference


def measure(artefact: Artefact, model: TextClassifier, dataset: Dataset, stage: Stage, *, seed: int) -> Measured:
    """Run the artefact over held-out texts, and the network it came from over the test texts.

    The temperature is fitted on validation, the projection on training texts, everything else is read off the test.
    """
    sample = dataset.train[:_PROJECTION_ROWS]
    stage.expect(len(sample) + len(dataset.validation) + 2 * len(dataset.test))
    training = artefact.run(texts_of(sample), advance=stage.advance)
    validation = artefact.run(texts_of(dataset.validation), advance=stage.advance)
    test = artefact.run(texts_of(dataset.test), advance=stage.advance)
    wanted = truth_of(dataset.validation, dataset.labels)
    truth = truth_of(dataset.test, dataset.labels)
    temperature = fit_temperature(validation.logits, wanted)
    original = torch_logits(model, test.tokenized.ids, advance=stage.advance)
    return Measured(
        evaluation=evaluate(test.logits, truth, dataset.labels, temperature),
        fp32_accuracy=float((original.argmax(axis=1) == truth).mean()),
        validation_accuracy=float((validation.logits.argmax(axis=1) == wanted).mean()),
        temperature=temperature,
        reference=_reference(validation, test, np.concatenate([wanted, truth]), temperature, training, seed),
    )


def headline(measured: Measured, floors: Floors, speed: Speed, size_bytes: int) -> dict[str, float]:
    """The figures that the manifest holds and the gate reads: shares are 0..1, sizes in 10^6 bytes."""
    found = measured.evaluation
    return {
        "accuracy": found.accuracy,
        "macro_f1": found.macro_f1,
        "weighted_f1": found.weighted_f1,
        "ece": found.ece,
        "ece_uncalibrated": found.ece_uncalibrated,
        "validation_accuracy": measured.validation_accuracy,
        "fp32_accuracy": measured.fp32_accuracy,
        "quantization_drop": measured.fp32_accuracy - found.accuracy,
        "majority_accuracy": floors.majority,
        "tfidf_accuracy": floors.tfidf,
        "beats_tfidf_by": found.accuracy - floors.tfidf,
        "size_mb": size_bytes / 1e6,
        "latency_p50_ms": speed.latency_p50_ms,
        "texts_per_second": speed.texts_per_second,
    }


def texts_of(rows: Sequence[Row]) -> list[str]:
    """The texts alone."""
    return [row.text for row in rows]


def truth_of(rows: Sequence[Row], labels: Sequence[str]) -> Integers:
    """[n] indices into `labels`."""
    index = {label: number for number, label in enumerate(labels)}
    return np.array([index[row.label] for row in rows], dtype=np.int64)


def _reference(
    validation: Outputs, test: Outputs, truth: Integers, temperature: float, training: Outputs, seed: int
) -> Reference:
    """Over all held-out rows, or a random choice of 3000 of them."""
    rows = np.sort(np.random.default_rng(seed).permutation(len(truth))[:MAX_ROWS])
    first, second = validation.tokenized, test.tokenized
    ids = [*first.ids, *second.ids]
    chosen = Outputs(
        logits=np.concatenate([validation.logits, test.logits])[rows],
        embeddings=np.concatenate([validation.embeddings, test.embeddings])[rows],
        tokenized=Tokenized(
            ids=[ids[row] for row in rows],
            lengths=np.concatenate([first.lengths, second.lengths])[rows],
            unknown_shares=np.concatenate([first.unknown_shares, second.unknown_shares])[rows],
            fragmentation=np.concatenate([first.fragmentation, second.fragmentation])[rows],
        ),
    )
    return build_reference(chosen, truth[rows], temperature, fit_projection(training.embeddings))
