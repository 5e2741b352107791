"""Refusing what cannot work before any time is spent on it."""

from __future__ import annotations

from contracts.errors import TrainingError
from contracts.task import TaskSpec
from training.learning.base_model import BaseModel, resolve
from training.learning.classifier import layer_count
from training.learning.prune import check_prunable


def check_feasible(spec: TaskSpec) -> BaseModel:
    """Find the base model and hold the task's wishes against it.

    Raises BaseModelError or TrainingError, naming the setting to change.
    """
    base = resolve(spec.model.base, max_tokens=spec.model.max_tokens)
    check_prunable(base, spec.prune)
    layers = layer_count(base)
    if spec.model.freeze_layers > layers:
        raise TrainingError(
            f"[model] freeze_layers is {spec.model.freeze_layers}, and base model {base.name} has {layers} layers that "
            f"can be frozen. Set it to {layers} or less."
        )
    _check_recipe(spec)
    return base


def _check_recipe(spec: TaskSpec) -> None:
    if spec.train.recipe == "contrastive" and (spec.kind != "classification" or spec.multi_label):
        found = "several labels a text" if spec.multi_label else f"the kind {spec.kind!r}"
        raise TrainingError(
            f'[train] recipe = "contrastive" is for classification with one label a text, and the task has {found}. '
            'Set `recipe = "fine-tune"`.'
        )
    if spec.adapt is not None and spec.adapt.source == "log" and not spec.limits.log_text:
        raise TrainingError(
            '[adapt] source = "log" needs the texts that production sent, and `log_text = false` in [limits] keeps '
            "them out of the log. Name a text file as `source`, or remove [adapt]."
        )


def pinned(spec: TaskSpec, base: BaseModel) -> TaskSpec:
    """The task with a base model that a retraining finds from any working folder."""
    if base.source != "folder":
        return spec
    return spec.model_copy(update={"model": spec.model.model_copy(update={"base": str(base.folder)})})
