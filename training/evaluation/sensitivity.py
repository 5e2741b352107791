"""How far answers hang on how a text is written: the artefact on the same texts, written otherwise."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from typing import TypeVar

import numpy as np

from training.evaluation.bootstrap import Bools, Estimate, accuracy_estimate, paired_gain
from training.evaluation.perturb import PERTURBATIONS, Perturbation, perturbed

MOST_TEXTS = 500
EXAMPLE = "Hello, where's my parcel? I ordered it on Monday."

# What is written otherwise: a text, or a row of which only a part is.
Written = TypeVar("Written")


@dataclass(frozen=True)
class Replies:
    """n answers to texts written otherwise: whether each is right, and the same as to the text as it was."""

    right: Bools
    same: Bools


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
    """At most 500 test texts, as they are and written otherwise. Accuracy is the share that is answered right."""

    rows: int
    accuracy: float
    variants: tuple[Variant, ...]

    @property
    def warnings(self) -> list[str]:
        """A sentence for each way of writing that does harm."""
        return [
            f"Answers are right {100 * variant.loss.value:.1f} points less often on the same texts with "
            f"{variant.title.lower()}."
            for variant in self.variants
            if variant.harms
        ]

    @property
    def details(self) -> dict[str, object]:
        """For metrics.json."""
        variants = [{**asdict(one), "harms": one.harms} for one in self.variants]
        return {"sensitivity": {"rows": self.rows, "accuracy": self.accuracy, "variants": variants}}


def texts_needed(test_rows: int, most: int = MOST_TEXTS) -> int:
    """How many texts `measure_sensitivity` will ask answers for, at the most."""
    return len(PERTURBATIONS) * min(test_rows, most)


def measure_sensitivity(
    rows: Sequence[Written],
    right: Bools,
    write: Callable[[Perturbation, Written, int], Written],
    answer: Callable[[Sequence[int], Sequence[Written]], Replies],
    *,
    seed: int,
    most: int = MOST_TEXTS,
) -> Sensitivity:
    """Over a seeded choice of [n] test rows, n >= 1, answered right or not; a row left as it was keeps its answer.

    `write` makes a row of another (with the seed), `answer` is given rows written otherwise and their places in `rows`.
    Ribeiro et al. 2020, "Beyond accuracy: behavioral testing of NLP models with CheckList", invariance tests.
    """
    chosen = np.sort(np.random.default_rng(seed).permutation(len(rows))[:most])
    before = right[chosen]
    sample = [rows[place] for place in chosen]

    def written(perturbation: Perturbation) -> Variant:
        other = [write(perturbation, row, seed) for row in sample]
        differing = [place for place, row in enumerate(sample) if other[place] != row]
        still, same = before.copy(), np.ones(len(sample), dtype=np.bool_)
        if differing:
            replies = answer([int(chosen[place]) for place in differing], [other[place] for place in differing])
            still[differing], same[differing] = replies.right, replies.same
        losses = before.astype(np.float32) - still.astype(np.float32)
        return Variant(
            name=perturbation.name,
            title=perturbation.title,
            example=perturbed(perturbation, EXAMPLE, seed),
            changed=len(differing),
            accuracy=float(still.mean()),
            loss=paired_gain(losses),
            other_answers=float((~same).mean()),
        )

    accuracy = accuracy_estimate(before, seed=seed).value
    return Sensitivity(len(chosen), accuracy, tuple(written(perturbation) for perturbation in PERTURBATIONS))
