"""The kinds of task that can be trained: a closed set."""

from __future__ import annotations

from contracts.task import Kind, TaskSpec
from training.kinds.classification import Classification
from training.kinds.kind import TaskKind
from training.kinds.question_answering import QuestionAnswering
from training.kinds.several_labels import MultiLabel
from training.kinds.similarity import ScoredSimilarity, Similarity
from training.kinds.token_classification import TokenClassification

KINDS: dict[Kind, TaskKind] = {
    "classification": Classification(),
    "token-classification": TokenClassification(),
    "question-answering": QuestionAnswering(),
    "similarity": Similarity(),
}
_SCORED = ScoredSimilarity()
_MULTI_LABEL = MultiLabel()


def kind_of(spec: TaskSpec) -> TaskKind:
    """The kind of a task, by its settings."""
    if spec.multi_label:
        return _MULTI_LABEL
    return _SCORED if spec.kind == "similarity" and spec.data.pairs == "scored" else KINDS[spec.kind]
