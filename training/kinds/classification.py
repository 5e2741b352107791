"""Classification: one label a text."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

import numpy as np
from tokenizers import Tokenizer

from contracts.reference import Integers, Reference
from contracts.task import TaskSpec
from training.artefact.onnx_artefact import Artefact, Outputs, Tokenized, tokenize
from training.data.dataset import Dataset
from training.data.rows import Row
from training.evaluation.analysis import Answers, analyse
from training.evaluation.baselines import gains_over, measure_floors
from training.evaluation.calibration import fit_temperature
from training.evaluation.evaluate import evaluate
from training.evaluation.reference import MAX_ROWS, build_reference, fit_projection
from training.evaluation.sensitivity import texts_needed
from training.kinds.kind import Figure, Measured, TaskKind
from training.learning.base_model import BaseModel
from training.learning.classifier import TextClassifier, build_classifier, torch_logits
from training.learning.finetune import Encoded
from training.learning.network import Network
from training.progress import Stage

PROJECTION_ROWS = 2000
# Fewer texts than this are a reference that hardly any test could tell a window from.
FEWEST_DRIFTED = 60


class Classification(TaskKind):
    """Cross-entropy over labels, judged by accuracy."""

    main: ClassVar[Figure] = Figure("accuracy", "accuracy")
    tiles: ClassVar[tuple[Figure, ...]] = (main, Figure("macro F1", "macro_f1"))
    gated: ClassVar[tuple[str, ...]] = ("accuracy", "macro_f1")
    rivals: ClassVar[tuple[Figure, ...]] = (
        Figure("Always the most frequent label", "majority_accuracy"),
        Figure("TF-IDF and logistic regression", "tfidf_accuracy"),
    )

    def build(self, base: BaseModel, dataset: Dataset, spec: TaskSpec) -> TextClassifier:
        """A linear layer over the mean of the token states."""
        return build_classifier(base, len(dataset.labels), spec.train.seed)

    def encode(self, rows: Sequence[Row], labels: Sequence[str], tokenizer: Tokenizer, spec: TaskSpec) -> Encoded:
        """Token ids and label indices."""
        ids = tokenize(tokenizer, self.texts(rows), spec.model.max_tokens).ids
        return Encoded(ids, truth_of(rows, labels).tolist())

    def measure(
        self,
        artefact: Artefact,
        model: Network,
        dataset: Dataset,
        stage: Stage,
        *,
        spec: TaskSpec,
        drifted: Sequence[Row] = (),
    ) -> Measured:
        """The temperature is fitted on validation, the projection on training texts, the rest is read off the test.

        A successor's reference is of `drifted` texts alone, where there are enough. They are what production sends
        now: compared with older texts, it would seem to drift for ever.
        """
        sample = dataset.train[:PROJECTION_ROWS]
        held_out = len(dataset.validation) + 2 * len(dataset.test)
        stage.expect(len(sample) + held_out + texts_needed(len(dataset.test)))
        training = artefact.run(self.texts(sample), advance=stage.advance)
        validation = artefact.run(self.texts(dataset.validation), advance=stage.advance)
        test = artefact.run(self.texts(dataset.test), advance=stage.advance)
        wanted = truth_of(dataset.validation, dataset.labels)
        truth = truth_of(dataset.test, dataset.labels)
        temperature = fit_temperature(validation.logits, wanted)
        production = [artefact.run(self.texts(drifted))] if len(drifted) >= FEWEST_DRIFTED else []
        original = torch_logits(model, test.tokenized.ids, advance=stage.advance)
        evaluation = evaluate(test.logits, truth, dataset.labels, temperature)
        fp32 = float((original.argmax(axis=1) == truth).mean())
        analysis = analyse(
            artefact,
            Answers("test", dataset.test, truth, test),
            (
                Answers("validation", dataset.validation, wanted, validation),
                Answers("training", sample, truth_of(sample, dataset.labels), training),
            ),
            dataset.labels,
            temperature,
            stage,
            spec=spec,
        )
        return Measured(
            figures={
                **evaluation.figures,
                "validation_accuracy": float((validation.logits.argmax(axis=1) == wanted).mean()),
                "fp32_accuracy": fp32,
                "quantization_drop": fp32 - evaluation.accuracy,
            },
            temperature=temperature,
            reference=_reference(
                production or [validation, test],
                truth_of(drifted, dataset.labels) if production else np.concatenate([wanted, truth]),
                temperature,
                training,
                spec.train.seed,
            ),
            rows=evaluation.rows,
            evaluation=evaluation,
            analysis=analysis,
        )

    def floors(
        self, dataset: Dataset, measured: Measured, *, base: BaseModel, tokenizer: Tokenizer, spec: TaskSpec
    ) -> dict[str, float]:
        """The commonest label, and TF-IDF with logistic regression."""
        floors = measure_floors(dataset.train, dataset.test)
        gains = gains_over(floors, measured.analysis.right) if measured.analysis else ()
        return {name: figure for gain in gains for name, figure in gain.figures.items()}

    def answers(self, artefact: Artefact, labels: Sequence[str], rows: Sequence[Row], stage: Stage) -> list[str]:
        """The label of each row."""
        logits = artefact.run(self.texts(rows), advance=stage.advance).logits
        return [labels[int(index)] for index in logits.argmax(axis=1)]


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
