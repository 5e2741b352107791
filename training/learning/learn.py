"""From a base model and labelled texts to a trained network: fine-tune, then prune and recover if asked."""

from __future__ import annotations

from copy import deepcopy
from dataclasses import dataclass
from pathlib import Path

from tokenizers import Tokenizer

from contracts.task import TaskSpec
from training.artefact.onnx_artefact import tokenize
from training.data.dataset import Dataset
from training.kinds.classification import texts_of, truth_of
from training.kinds.kinds import KINDS
from training.learning.base_model import BaseModel
from training.learning.classifier import TextClassifier, freeze_layers
from training.learning.finetune import Encoded, Epoch, Teacher, fine_tune
from training.learning.prune import Pruning, prune
from training.progress import Progress


@dataclass(frozen=True)
class Learned:
    """The network, and how it came about."""

    model: TextClassifier
    epochs: tuple[Epoch, ...]
    recovery: tuple[Epoch, ...]  # after pruning; empty without it
    pruning: Pruning | None
    validation: Encoded


def learn(
    spec: TaskSpec, base: BaseModel, dataset: Dataset, tokenizer: Tokenizer, *, folder: Path, progress: Progress
) -> Learned:
    """Train with everything fixed by the task's seed; `folder` is for files that nobody needs afterwards."""
    kind = KINDS[spec.kind]
    with progress.stage("tokenize", "Tokenizing") as stage:
        stage.expect(2)
        encoded = []
        for rows in (dataset.train, dataset.validation):
            ids = tokenize(tokenizer, texts_of(rows), spec.model.max_tokens).ids
            encoded.append(Encoded(ids, truth_of(rows, dataset.labels).tolist()))
            stage.advance()
    train, validation = encoded

    with progress.stage("train", f"Fine-tuning {base.name}") as stage:
        model = kind.build(base, len(dataset.labels), spec.train.seed)
        freeze_layers(model, embeddings=spec.model.freeze_embeddings, layers=spec.model.freeze_layers)
        epochs = fine_tune(model, train, validation, spec.train, folder=folder, stage=stage)
    if not spec.prune.enabled:
        return Learned(model, tuple(epochs), (), None, validation)

    with progress.stage("prune", "Pruning") as stage:
        teacher = Teacher(deepcopy(model), spec.prune.distil_weight)
        pruning = prune(model, spec.prune, train, validation, stage)
    with progress.stage("recover", "Recovering from pruning, with the unpruned model as teacher") as stage:
        recipe = spec.train.model_copy(update={"epochs": spec.prune.recovery_epochs})
        recovery = fine_tune(model, train, validation, recipe, folder=folder, stage=stage, teacher=teacher)
    return Learned(model, tuple(epochs), tuple(recovery), pruning, validation)
