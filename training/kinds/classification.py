"""Measuring a text classifier as it will be deployed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from contracts.reference import Integers, Reference
from training.artefact.onnx_artefact import Artefact, Outputs, Tokenized
from training.artefact.speed import Speed
from training.data.dataset import Dataset
from training.data.rows import Row
from training.evaluation.baselines import Floors
from training.evaluation.calibration import fit_temperature
from training.evaluation.evaluate import Evaluation, evaluate
from training.evaluation.reference import MAX_ROWS, build_reference, fit_projection
from training.learning.classifier import TextClassifier, torch_logits
from training.progress import Stage

_PROJECTION_ROWS = 2000
# Fewer texts than this are a reference that hardly any test could tell a window from.
_FEWEST_DRIFTED = 60


@dataclass(frozen=True)
class Measured:
    """What the deployed artefact does on the test set, and the reference that the monitor will compare with."""

    evaluation: Evaluation
    fp32_accuracy: float
    validation_accuracy: float
    temperature: float
    reference: Reference


def measure(
    artefact: Artefact,
    model: TextClassifier,
    dataset: Dataset,
    stage: Stage,
    *,
    seed: int,
    drifted: Sequence[Row] = (),
) -> Measured:
    """Run the artefact over held-out texts, and the network it came from over the test texts.

    The temperature is fitted on validation, the projection on training texts, everything else is read off the test.
    The reference is made of validation and test; for a successor of `drifted` held-out texts alone, where there are
    enough. They are what production sends now: compared with older texts, it would seem to drift for ever.
    """
    sample = dataset.train[:_PROJECTION_ROWS]
    stage.expect(len(sample) + len(dataset.validation) + 2 * len(dataset.test))
    training = artefact.run(texts_of(sample), advance=stage.advance)
    validation = artefact.run(texts_of(dataset.validation), advance=stage.advance)
    test = artefact.run(texts_of(dataset.test), advance=stage.advance)
    wanted = truth_of(dataset.validation, dataset.labels)
    truth = truth_of(dataset.test, dataset.labels)
    temperature = fit_temperature(validation.logits, wanted)
    production = [artefact.run(texts_of(drifted))] if len(drifted) >= _FEWEST_DRIFTED else []
    original = torch_logits(model, test.tokenized.ids, advance=stage.advance)
    return Measured(
        evaluation=evaluate(test.logits, truth, dataset.labels, temperature),
        fp32_accuracy=float((original.argmax(axis=1) == truth).mean()),
        validation_accuracy=float((validation.logits.argmax(axis=1) == wanted).mean()),
        temperature=temperature,
        reference=_reference(
            production or [validation, test],
            truth_of(drifted, dataset.labels) if production else np.concatenate([wanted, truth]),
            temperature,
            training,
            seed,
        ),
    )


def headline(measured: Measured, floors: Floors, speed: Speed, size_bytes: int) -> dict[str, float]:
    """The figures that the manifest holds and the gate reads: shares are 0..1, sizes in 10^6 bytes."""
    found = measured.evaluation
    return {
        **found.figures,
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
    parts: Sequence[Outputs], truth: Integers, temperature: float, training: Outputs, seed: int
) -> Reference:
    """Over all rows of the parts, or a random choice of 3000 of them."""
    rows = np.sort(np.random.default_rng(seed).permutation(len(truth))[:MAX_ROWS])
    found = [part.tokenized for part in parts]
    ids = [one for part in found for one in part.ids]
    chosen = Outputs(
        logits=np.concatenate([part.logits for part in parts])[rows],
        embeddings=np.concatenate([part.embeddings for part in parts])[rows],
        tokenized=Tokenized(
            ids=[ids[row] for row in rows],
            lengths=np.concatenate([part.lengths for part in found])[rows],
            unknown_shares=np.concatenate([part.unknown_shares for part in found])[rows],
            fragmentation=np.concatenate([part.fragmentation for part in found])[rows],
        ),
    )
    return build_reference(chosen, truth[rows], temperature, fit_projection(training.embeddings))
