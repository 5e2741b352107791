"""From a base model and labelled texts to a trained network: fine-tune, then prune and recover if asked."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from copy import deepcopy
from dataclasses import dataclass
from pathlib import Path

import torch
from tokenizers import Tokenizer

from contracts.task import TaskSpec
from training.data.dataset import Dataset
from training.data.sampling import resample
from training.kinds.kinds import kind_of
from training.learning.adapters import add_adapters, merge_adapters
from training.learning.base_model import BaseModel
from training.learning.classifier import freeze_layers
from training.learning.dropout import set_dropout
from training.learning.finetune import Encoded, Epoch, Teacher, fine_tune
from training.learning.network import Network
from training.learning.prune import Pruning, prune
from training.progress import Progress
from training.recipes.domain_adaptation import Adaptation, adapt
from training.recipes.recipes import RECIPES


@dataclass(frozen=True)
class Learned:
    """The network, and how it came about."""

    model: Network
    epochs: tuple[Epoch, ...]
    recovery: tuple[Epoch, ...]  # after pruning; empty without it
    pruning: Pruning | None
    validation: Encoded
    rows: int  # that were learned from
    adaptation: Adaptation | None = None


def learn(
    spec: TaskSpec,
    base: BaseModel,
    dataset: Dataset,
    tokenizer: Tokenizer,
    *,
    folder: Path,
    progress: Progress,
    unlabelled: Sequence[str] = (),
    watch: Callable[[Epoch], None] | None = None,
) -> Learned:
    """Train with everything fixed by the task's seed; `folder` is for files that nobody needs afterwards.

    `unlabelled` texts are what the encoder is adapted to first. `watch` is told each epoch of the recipe as it ends,
    and may stop the training by raising.
    """
    kind = kind_of(spec)
    labels = kind.labels(dataset)
    with progress.stage("tokenize", "Tokenizing") as stage:
        stage.expect(2)
        encoded = []
        for rows in (resample(dataset.train, spec.data, spec.train.seed), dataset.validation):
            encoded.append(kind.encode(rows, labels, tokenizer, spec))
            stage.advance()
    train, validation = encoded

    model = kind.build(base, dataset, spec)
    adaptation = None
    if unlabelled:
        with progress.stage("adapt", f"Adapting {base.name} to {len(unlabelled)} unlabelled texts") as stage:
            adaptation = adapt(model, base, unlabelled, tokenizer, spec, folder=folder, stage=stage)
    with progress.stage("train", f"Fine-tuning {base.name}") as stage:
        if torch.cuda.is_available():
            stage.line(f"on {torch.cuda.get_device_name()}")
        freeze_layers(model, embeddings=spec.model.freeze_embeddings, layers=spec.model.freeze_layers)
        if spec.train.dropout is not None:
            set_dropout(model, spec.train.dropout)
        adapted = add_adapters(model, spec.train.lora, spec.train.seed) if spec.train.lora else None
        recipe = RECIPES[spec.train.recipe]
        epochs = recipe(model, train, validation, spec.train, folder=folder, stage=stage, watch=watch)
        if adapted is not None:
            merge_adapters(model, adapted)
    if not spec.prune.enabled:
        return Learned(model, tuple(epochs), (), None, validation, len(train), adaptation)

    with progress.stage("prune", "Pruning") as stage:
        teacher = Teacher(deepcopy(model), spec.prune.distil_weight)
        pruning = prune(model, spec.prune, train, validation, stage)
    with progress.stage("recover", "Recovering from pruning, with the unpruned model as teacher") as stage:
        short = spec.train.model_copy(update={"epochs": spec.prune.recovery_epochs})
        recovery = fine_tune(model, train, validation, short, folder=folder, stage=stage, teacher=teacher)
    return Learned(model, tuple(epochs), tuple(recovery), pruning, validation, len(train), adaptation)
