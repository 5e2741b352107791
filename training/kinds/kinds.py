"""The kinds of task that can be trained: a closed set."""

from __future__ import annotations

from contracts.task import Kind, TaskSpec
from training.kinds.classification import Classification
from training.kinds.kind import TaskKind

KINDS: dict[Kind, TaskKind] = {"classification": Classification()}


def kind_of(spec: TaskSpec) -> TaskKind:
    """The kind of a task, by its settings."""
    return KINDS[spec.kind]
