"""Beyond the figures: which rows are wrong, how much hangs on writing, and which groups fall behind."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass

import numpy as np

from contracts.reference import Integers
from contracts.task import TaskSpec
from training.artefact.onnx_artefact import Artefact, Outputs
from training.data.rows import Row
from training.data.writing import language_of_each, script_of
from training.evaluation.bootstrap import Bools
from training.evaluation.calibration import softmax
from training.evaluation.errors import Answered, ErrorAnalysis, analyse_errors
from training.evaluation.perturb import perturbed
from training.evaluation.sensitivity import Replies, Sensitivity, measure_sensitivity
from training.evaluation.slices import Slice, by_length, judge_slices, warn_of
from training.progress import Stage

NO_VALUE = "(none)"


@dataclass(frozen=True)
class Answers:
    """Rows of one split, their labels' indices [n], and what the artefact said of them."""

    split: str
    rows: Sequence[Row]
    truth: Integers
    outputs: Outputs


@dataclass(frozen=True)
class Analysis:
    """What the report tells of a classifier beside its figures."""

    right: Bools  # [n], of the test rows
    errors: ErrorAnalysis
    sensitivity: Sensitivity
    slices: tuple[Slice, ...]

    @property
    def warnings(self) -> list[str]:
        """What somebody should know before using the release."""
        return warn_of(self.slices) + self.sensitivity.warnings

    @property
    def details(self) -> dict[str, object]:
        """For metrics.json."""
        return {
            "errors": asdict(self.errors),
            **self.sensitivity.details,
            "slices": [asdict(one) for one in self.slices],
            "warnings": self.warnings,
        }


def analyse(
    artefact: Artefact,
    test: Answers,
    others: Sequence[Answers],
    labels: Sequence[str],
    temperature: float,
    stage: Stage,
    *,
    spec: TaskSpec,
) -> Analysis:
    """All of it, from answers that are there already; only the perturbed texts are run anew.

    Texts stay out of it where the task keeps them out of its log. `others` are rows whose labels are examined too.
    """
    given = test.outputs.logits.argmax(axis=1).astype(np.int64)
    right = given == test.truth

    def answer(places: Sequence[int], texts: Sequence[str]) -> Replies:
        found = artefact.run(texts, advance=stage.advance).logits.argmax(axis=1)
        return Replies(right=found == test.truth[places], same=found == given[places])

    texts = [row.text for row in test.rows]
    return Analysis(
        right=right,
        errors=analyse_errors(
            _answered(test, temperature),
            [_answered(part, temperature) for part in others],
            labels,
            with_texts=spec.limits.log_text,
        ),
        sensitivity=measure_sensitivity(texts, right, perturbed, answer, seed=spec.train.seed),
        slices=judge_slices(properties_of(test.rows, test.outputs.tokenized.lengths, spec.model.max_tokens), right),
    )


def properties_of(rows: Sequence[Row], lengths: Integers, most: int) -> dict[str, list[str]]:
    """By what the [n] rows are sliced: length in tokens (of which `most` are read), script, language, own columns."""
    found = by_length(lengths, most)
    found["script"] = [script_of(row.text) for row in rows]
    found["language"] = language_of_each(row.text for row in rows)
    extra = [dict(row.extra) for row in rows]
    for column in sorted({name for one in extra for name in one}):
        found[column] = [one.get(column) or NO_VALUE for one in extra]
    return found


def _answered(part: Answers, temperature: float) -> Answered:
    return Answered(part.split, part.rows, softmax(part.outputs.logits, temperature), part.truth)
