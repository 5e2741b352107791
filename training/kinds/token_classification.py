"""Token classification: entities in a text, such as names."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from typing import ClassVar

import numpy as np
from tokenizers import Tokenizer
from torch import Tensor

from contracts.entities import OUTSIDE, Entities
from contracts.reference import Integers
from contracts.task import TaskSpec
from training.artefact.onnx_artefact import Artefact
from training.data.dataset import Dataset
from training.data.rows import Row, rows_of
from training.data.tagged import TaggedRow
from training.evaluation.bootstrap import f1_gain
from training.evaluation.calibration import fit_temperature
from training.evaluation.entity_scores import EntityScores, entity_counts, score_entities
from training.evaluation.lexicon import lexicon_tags
from training.evaluation.reference import fit_projection
from training.evaluation.sensitivity import texts_needed
from training.kinds.entity_analysis import TaggedPart, analyse_entities
from training.kinds.held_out import HeldOut, held_out_reference, outcomes_of
from training.kinds.kind import Figure, Measured, TaskKind
from training.kinds.token_rows import (
    TaggedOutputs,
    piece_labels,
    predicted_tags,
    read_pieces,
    run_artefact,
    run_network,
)
from training.learning.base_model import BaseModel
from training.learning.classifier import TokenClassifier, build_token_classifier
from training.learning.finetune import Encoded
from training.learning.network import Network
from training.learning.objective import (
    IGNORED,
    Arrays,
    Objective,
    collate_inputs,
    cross_entropy,
    label_weight,
    pad,
    soft_cross_entropy,
)
from training.learning.objective import Row as Example
from training.progress import Stage
from training.report.blocks import Section, Table, number_cell, share_cell, text_cell

_PROJECTION_ROWS = 2000


class TokenClassification(TaskKind):
    """Cross-entropy over tags on words, judged by the F1 of whole entities."""

    main: ClassVar[Figure] = Figure("entity F1", "f1")
    tiles: ClassVar[tuple[Figure, ...]] = (main, Figure("precision", "precision"), Figure("recall", "recall"))
    gated: ClassVar[tuple[str, ...]] = ("f1", "macro_f1")
    rivals: ClassVar[tuple[Figure, ...]] = (
        Figure("Never an entity", "majority_f1"),
        Figure("Each word's usual tag", "lexicon_f1"),
    )

    def build(self, base: BaseModel, dataset: Dataset, spec: TaskSpec) -> TokenClassifier:
        """A linear layer over the state of each token."""
        labels = self.labels(dataset)
        return build_token_classifier(base, len(labels), spec.train.seed, tag_objective(labels))

    def encode(self, rows: Sequence[Row], labels: Sequence[str], tokenizer: Tokenizer, spec: TaskSpec) -> Encoded:
        """Token ids, and a tag on the first piece of each word."""
        tagged = rows_of(TaggedRow, rows)
        pieces = read_pieces(tokenizer, self.texts(tagged), spec.model.max_tokens)
        ids = pieces.tokenized.ids
        return Encoded(
            ids,
            [
                piece_labels(row, words, len(tokens), labels)
                for row, words, tokens in zip(tagged, pieces.words, ids, strict=True)
            ],
        )

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
        """The temperature is fitted on validation's words, the rest is read off the test."""
        tags = self.labels(dataset)
        sample = rows_of(TaggedRow, dataset.train[:_PROJECTION_ROWS])
        held_out = [rows_of(TaggedRow, rows) for rows in (dataset.validation, dataset.test)]
        asked = texts_needed(len(held_out[1]))
        stage.expect(len(sample) + len(held_out[0]) + 2 * len(held_out[1]) + asked)
        training = run_artefact(artefact, self.texts(sample), advance=stage.advance)
        outputs = [run_artefact(artefact, self.texts(rows), advance=stage.advance) for rows in held_out]
        original = run_network(model, outputs[1], advance=stage.advance)
        temperature = _temperature(outputs[0], held_out[0], tags)
        found = [part.read(tags, temperature) for part in outputs]
        given = [_tags(entities, rows) for entities, rows in zip(found, held_out, strict=True)]
        wanted = [[row.tags for row in rows] for rows in held_out]
        scores = score_entities(wanted[1], given[1])
        fp32 = score_entities(wanted[1], _tags(original.read(tags), held_out[1])).micro.f1
        parts = [
            HeldOut(
                labels=[one.label for one in entities],
                correct=np.array([tuple(a) == tuple(b) for a, b in zip(truth, answer, strict=True)]),
                scores=np.array([one.score for one in entities], dtype=np.float32),
                embeddings=part.embeddings,
                tokenized=part.pieces.tokenized,
            )
            for part, entities, truth, answer in zip(outputs, found, wanted, given, strict=True)
        ]
        outcomes = outcomes_of([label for part in parts for label in part.labels])
        told = analyse_entities(
            artefact,
            TaggedPart("test", held_out[1], outputs[1]),
            (TaggedPart("validation", held_out[0], outputs[0]), TaggedPart("training", sample, training)),
            tags,
            temperature,
            stage,
            spec=spec,
        )
        return Measured(
            figures={
                **told.figures,
                "f1": scores.micro.f1,
                "precision": scores.micro.precision,
                "recall": scores.micro.recall,
                "macro_f1": scores.macro_f1,
                "right_texts": scores.right_texts,
                "validation_f1": score_entities(wanted[0], given[0]).micro.f1,
                "fp32_f1": fp32,
                "quantization_drop": fp32 - scores.micro.f1,
            },
            temperature=temperature,
            reference=held_out_reference(parts, outcomes, fit_projection(training.embeddings), seed=spec.train.seed),
            rows=len(held_out[1]),
            details={"entities": [asdict(one) for one in scores.types], "test_entities": scores.micro.entities}
            | dict(told.details),
            warnings=told.warnings,
            sections=(_section(scores), *told.sections),
            outcomes=outcomes,
            answers=[list(one) for one in given[1]],
        )

    def floors(
        self, dataset: Dataset, measured: Measured, *, base: BaseModel, tokenizer: Tokenizer, spec: TaskSpec
    ) -> dict[str, float]:
        """No entity at all; and each word's usual tag in training."""
        train, test = rows_of(TaggedRow, dataset.train), rows_of(TaggedRow, dataset.test)
        wanted = [row.tags for row in test]
        floors = {"majority": [[OUTSIDE] * len(row.tags) for row in test], "lexicon": lexicon_tags(train, test)}
        found: dict[str, float] = {}
        for name, tags in floors.items():
            gain = f1_gain(entity_counts(wanted, measured.answers), entity_counts(wanted, tags), seed=0)
            found |= {f"{name}_f1": score_entities(wanted, tags).micro.f1, **gain.figures(f"beats_{name}_by")}
        return found

    def answers(self, artefact: Artefact, labels: Sequence[str], rows: Sequence[Row], stage: Stage) -> list[str]:
        """The tags of each row's tokens."""
        tagged = rows_of(TaggedRow, rows)
        found = run_artefact(artefact, self.texts(tagged), advance=stage.advance).read(labels)
        return [" ".join(tags) for tags in _tags(found, tagged)]

    def truths(self, rows: Sequence[Row]) -> list[str]:
        """The tags that would be right."""
        return [" ".join(row.tags) for row in rows_of(TaggedRow, rows)]


def tag_objective(tags: Sequence[str]) -> Objective:
    """Cross-entropy on the first piece of each word; the best epoch is that with the best entity F1."""

    def f1(outputs: Arrays, labels: Arrays) -> float:
        wanted: list[list[str]] = []
        given: list[list[str]] = []
        for logits, truth in zip(outputs, labels, strict=True):
            for row, places in zip(logits, truth, strict=True):
                counted = places != IGNORED
                wanted.append([tags[index] for index in places[counted]])
                given.append([tags[index] for index in row.argmax(axis=-1)[counted]])
        return score_entities(wanted, given).micro.f1

    return Objective(
        score_name="entity F1",
        collate=_collate,
        loss=cross_entropy,
        score=f1,
        soft_loss=soft_cross_entropy,
        weight=label_weight,
    )


def _collate(rows: Sequence[Example]) -> dict[str, Tensor]:
    return {**collate_inputs(rows), "labels": pad([row["labels"] for row in rows], IGNORED)}


def _tags(found: Sequence[Entities], rows: Sequence[TaggedRow]) -> list[list[str]]:
    return [predicted_tags(entities, row) for entities, row in zip(found, rows, strict=True)]


def _temperature(outputs: TaggedOutputs, rows: Sequence[TaggedRow], tags: Sequence[str]) -> float:
    """Fitted over all words of the rows."""
    logits, truth = [], []
    for found, words, row in zip(outputs.logits, outputs.pieces.words, rows, strict=True):
        places = [word.piece for word in words]
        labels: Integers = np.array(piece_labels(row, words, len(found), tags), dtype=np.int64)
        logits.append(found[places])
        truth.append(labels[places])
    return fit_temperature(np.concatenate(logits), np.concatenate(truth))


def _section(scores: EntityScores) -> Section:
    ordered = sorted(scores.types, key=lambda one: (one.entities == 0, one.f1, one.label))
    table = Table(
        head=("Type", "F1#", "Precision#", "Recall#", "Entities#"),
        rows=tuple(
            (
                text_cell(one.label),
                share_cell(one.f1),
                share_cell(one.precision),
                share_cell(one.recall),
                number_cell(f"{one.entities:,}"),
            )
            for one in (*ordered, scores.micro)
        ),
        note=f"An entity is right when its type and its whole extent are. Every tag is right in "
        f"{100 * scores.right_texts:.1f} % of the texts. Words that are {OUTSIDE} count for nothing.",
    )
    return Section("Types of entity, the weakest first", (table,))
