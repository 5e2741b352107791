"""How good found entities are: an entity counts when its type and its whole extent are right, as `seqeval` has it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from seqeval.metrics.sequence_labeling import get_entities as _get_entities
from seqeval.metrics.sequence_labeling import precision_recall_fscore_support

from contracts.reference import Floats

Tags = Sequence[Sequence[str]]
# Their type information says less than they take and give.
_entities: Any = _get_entities
_score: Any = precision_recall_fscore_support


@dataclass(frozen=True)
class EntityScore:
    """One type of entity, or all together."""

    label: str
    precision: float
    recall: float
    f1: float
    entities: int  # true ones


@dataclass(frozen=True)
class EntityScores:
    """Of n texts: all entities together, and type by type."""

    texts: int
    right_texts: float  # share of the texts in which every tag is right
    micro: EntityScore
    macro_f1: float  # the mean over the types that occur
    types: tuple[EntityScore, ...]


def score_entities(truth: Tags, found: Tags) -> EntityScores:
    """Judge BIO2 tags of n >= 1 texts. Without any entity, true or found, precision, recall and F1 are 0."""
    wanted, given = [list(tags) for tags in truth], [list(tags) for tags in found]
    names = sorted({tag[2:] for tags in (*wanted, *given) for tag in tags if tag[1:2] == "-"})
    right = float(np.mean([one == other for one, other in zip(wanted, given, strict=True)]))
    if not names:
        return EntityScores(len(wanted), right, EntityScore("all", 0.0, 0.0, 0.0, 0), 0.0, ())
    by_type = _score(wanted, given, average=None, zero_division=0)
    precision, recall, f1, support = _score(wanted, given, average="micro", zero_division=0)
    types = tuple(
        EntityScore(name, float(p), float(r), float(f), int(n))
        for name, p, r, f, n in zip(names, *by_type, strict=True)
    )
    occurring = [one.f1 for one in types if one.entities]
    return EntityScores(
        texts=len(wanted),
        right_texts=right,
        micro=EntityScore("all", float(precision), float(recall), float(f1), int(support)),
        macro_f1=float(np.mean(occurring)) if occurring else 0.0,
        types=types,
    )


def entity_counts(truth: Tags, found: Tags) -> Floats:
    """[n, 3]: of each text the entities found that are true ones, all found, and all true."""
    pairs = [(set(_entities(list(one))), set(_entities(list(other)))) for one, other in zip(truth, found, strict=True)]
    return np.array([(len(wanted & given), len(given), len(wanted)) for wanted, given in pairs], dtype=np.float32)
