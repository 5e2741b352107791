"""The kinds of task that can be trained: a closed set."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from contracts.task import Kind
from training.kinds.classification import Measured, measure
from training.learning.base_model import BaseModel
from training.learning.classifier import TextClassifier, build_classifier


@dataclass(frozen=True)
class KindSteps:
    """The steps in which one kind of task differs from another."""

    build: Callable[[BaseModel, int, int], TextClassifier]  # base model, labels, seed
    measure: Callable[..., Measured]


KINDS: dict[Kind, KindSteps] = {"classification": KindSteps(build=build_classifier, measure=measure)}
