"""How far answers hang on how a text is written: the artefact on the same texts, written otherwise."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from contracts.reference import Integers
from training.evaluation.bootstrap import Estimate, accuracy_estimate, mean_estimate
from training.evaluation.perturb import PERTURBATIONS, Perturbation, perturbed

MOST_TEXTS = 500
EXAMPLE = "Hello, where's my parcel? I ordered it on Monday."

Answer = Callable[[Sequence[str]], Integers]


@dataclass(frozen=True)
class Variant:
    """One way of writing, on the sampled test texts."""

    name: str
    title: str
    example: str  # a sentence of ours, never a text of the data
    changed: int  # texts that it makes different
    accuracy: float
    loss: Estimate  # of accuracy against the texts as they were, paired; positive: it does harm
    other_answers: float  # share of the texts that get another answer, 0..1

    @property
    def harms(self) -> bool:
        """Whether the loss is more than chance."""
        return self.loss.interval.low > 0.0


@dataclass(frozen=True)
class Sensitivity:
    """At most 500 test texts, as they are and written otherwise."""

    rows: int
    accuracy: float
    variants: tuple[Variant, ...]


def texts_needed(test_rows: int) -> int:
    """How many texts `measure_sensitivity` will ask answers for."""
    return len(PERTURBATIONS) * min(test_rows, MOST_TEXTS)


def measure_sensitivity(
    texts: Sequence[str], truth: Integers, answers: Integers, answer: Answer, *, seed: int
) -> Sensitivity:
    """Over a seeded choice of [n] test texts, n >= 1, that got these answers; a text left as it was keeps its own.

    Ribeiro et al. 2020, "Beyond accuracy: behavioral testing of NLP models with CheckList", invariance tests.
    """
    chosen = np.sort(np.random.default_rng(seed).permutation(len(texts))[:MOST_TEXTS])
    before = answers[chosen]
    right = before == truth[chosen]
    sample = [texts[row] for row in chosen]

    def written(perturbation: Perturbation) -> Variant:
        other = [perturbed(perturbation, text, seed) for text in sample]
        differing = [row for row, text in enumerate(sample) if other[row] != text]
        after = before.copy()
        if differing:
            after[differing] = answer([other[row] for row in differing])
        still = after == truth[chosen]
        losses = right.astype(np.float32) - still.astype(np.float32)
        return Variant(
            name=perturbation.name,
            title=perturbation.title,
            example=perturbed(perturbation, EXAMPLE, seed),
            changed=len(differing),
            accuracy=float(still.mean()),
            loss=mean_estimate(losses, lowest=-1.0, seed=seed),
            other_answers=float((after != before).mean()),
        )

    accuracy = accuracy_estimate(right, seed=seed).value
    return Sensitivity(len(chosen), accuracy, tuple(written(perturbation) for perturbation in PERTURBATIONS))
