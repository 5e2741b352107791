"""What is told of texts with several labels beside their figures: every label of every text is a choice by itself."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from contracts.reference import Floats, Integers
from contracts.several_labels import label_scores
from contracts.task import TaskSpec
from training.artefact.onnx_artefact import Artefact, Outputs
from training.data.multilabel import MultiLabelRow
from training.evaluation.bootstrap import Bools, accuracy_estimate, f1_estimate, macro_f1_estimate
from training.evaluation.errors import Answered, Suspects, find_suspects, merge_suspects
from training.evaluation.mistakes import Mistake, count_confusions, file_of, surest_mistakes
from training.evaluation.perturb import perturbed
from training.evaluation.sensitivity import Replies, measure_sensitivity
from training.evaluation.several_floors import truth_table
from training.kinds.parts import calibrated, estimated, mistaken, parts_of, rewritten
from training.kinds.told import Told, together
from training.progress import Stage
from training.report.measured_sections import MistakeHead

_NOTHING = "(no label)"
_MEANS = "A text is right when all its labels are, and no others were given."


@dataclass(frozen=True)
class LabelledPart:
    """Rows of one split and what the artefact says of them."""

    split: str
    rows: Sequence[MultiLabelRow]
    outputs: Outputs


@dataclass(frozen=True)
class Choice:
    """From which scores on labels count, and what scores are made with."""

    labels: tuple[str, ...]
    thresholds: tuple[float, ...]
    temperature: float

    def scores(self, logits: Floats) -> Floats:
        """[n, labels], 0..1."""
        return label_scores(logits, self.temperature)

    def given(self, logits: Floats) -> Bools:
        """[n, labels], which of them count."""
        counted: Bools = self.scores(logits) >= np.array(self.thresholds, dtype=np.float32)
        return counted


def label_counts(given: Bools, truth: Bools) -> Floats:
    """[n, 3] of [n, labels]: right labels, labels given, true labels."""
    columns = [(given & truth).sum(axis=1), given.sum(axis=1), truth.sum(axis=1)]
    return np.stack(columns, axis=1).astype(np.float32)


def analyse_labels(
    artefact: Artefact,
    test: LabelledPart,
    others: Sequence[LabelledPart],
    choice: Choice,
    stage: Stage,
    *,
    spec: TaskSpec,
) -> Told:
    """All of it, from answers that are there already; only rewritten texts, at most 500 a way, are run anew.

    `others` are rows whose labels are examined too.
    """
    seed, with_texts = spec.train.seed, spec.limits.log_text
    truth, given = truth_table(test.rows, choice.labels), choice.given(test.outputs.logits)
    right = (given == truth).all(axis=1)

    def answer(places: Sequence[int], texts: Sequence[str]) -> Replies:
        found = choice.given(artefact.run(texts, advance=stage.advance).logits)
        return Replies(right=(found == truth[places]).all(axis=1), same=(found == given[places]).all(axis=1))

    return together(
        estimated(
            {
                "f1": f1_estimate(label_counts(given, truth), seed=seed),
                "macro_f1": macro_f1_estimate(given, truth, seed=seed),
                "accuracy": accuracy_estimate(right, seed=seed),
            },
            {"f1": "micro F1", "macro_f1": "macro F1", "accuracy": "all labels right"},
        ),
        calibrated(
            choice.scores(test.outputs.logits).ravel(),
            label_scores(test.outputs.logits, 1.0).ravel(),
            truth.ravel(),
            temperature=choice.temperature,
            means="Scores are of every label on every text; accuracy is the share of the texts that have it.",
        ),
        parts_of(test.rows, test.outputs.tokenized.lengths, right, most=spec.model.max_tokens, means=_MEANS),
        rewritten(
            measure_sensitivity([row.text for row in test.rows], right, perturbed, answer, seed=seed), means=_MEANS
        ),
        tell_mistakes(
            test, choice, suspect_labels([test, *others], choice, with_texts=with_texts), with_texts=with_texts
        ),
    )


def tell_mistakes(test: LabelledPart, choice: Choice, suspects: Suspects, *, with_texts: bool) -> Told:
    """The surest of the labels that were given wrongly or left out, and which were given instead."""
    labels, scores = choice.labels, choice.scores(test.outputs.logits)
    truth, given = truth_table(test.rows, labels), choice.given(test.outputs.logits)
    # Of a label that was left out, how sure that was.
    sure = np.where(given, scores, 1 - scores).ravel()
    wrong: Integers = np.nonzero((given != truth).ravel())[0].astype(np.int64)

    def tell(place: int) -> Mistake:
        number, label = divmod(place, len(labels))
        row, name = test.rows[number], labels[label]
        is_given = bool(given[number, label])
        return Mistake(
            file=file_of(row),
            line=row.line,
            wanted=f"not {name}" if is_given else name,
            answer=name if is_given else f"not {name}",
            score=float(sure[place]),
            text=row.text if with_texts else None,
        )

    listed = surest_mistakes(wrong, sure[wrong], tell)
    texts = int((given != truth).any(axis=1).sum())
    rows = dict(zip(labels, truth.sum(axis=0).tolist(), strict=True)) | {_NOTHING: len(test.rows)}
    return mistaken(
        listed,
        count_confusions(_exchanged(given, truth, labels), rows),
        suspects,
        head=MistakeHead(),
        columns=("True label", "Given instead", "Texts#", "Of the label#"),
        note=f"{listed.mistakes:,} labels of {texts:,} test texts were given wrongly, or left out, in all.",
        unit="labels of texts, there or not,",
    )


def _exchanged(given: Bools, truth: Bools, labels: Sequence[str]) -> Iterator[tuple[str, str]]:
    """On each text every label that was left out with every one given wrongly; alone where there is no other."""
    for answers, wanted in zip(given, truth, strict=True):
        missed = [labels[place] for place in np.nonzero(wanted & ~answers)[0].tolist()]
        extra = [labels[place] for place in np.nonzero(answers & ~wanted)[0].tolist()]
        if missed or extra:
            yield from ((one, other) for one in missed or [_NOTHING] for other in extra or [_NOTHING])


def suspect_labels(parts: Sequence[LabelledPart], choice: Choice, *, with_texts: bool) -> Suspects:
    """Confident learning label by label, each a choice of two."""
    scores = [choice.scores(part.outputs.logits) for part in parts]
    truth = [truth_table(part.rows, choice.labels).astype(np.int64) for part in parts]
    found = []
    for place, label in enumerate(choice.labels):
        answered = [
            Answered(part.split, part.rows, np.stack([1 - some[:, place], some[:, place]], axis=1), wanted[:, place])
            for part, some, wanted in zip(parts, scores, truth, strict=True)
        ]
        found.append(find_suspects(answered, (f"not {label}", label), with_texts=with_texts))
    return merge_suspects(found)
