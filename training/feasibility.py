"""Refusing what cannot work before any time is spent on it."""

from __future__ import annotations

from contracts.errors import TrainingError
from contracts.recipes import ContrastiveSpec
from contracts.task import TaskSpec, TrainSpec
from training.kinds.kinds import kind_of
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
    _check_in_use(spec)
    _check_gate(spec)
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


def _check_in_use(spec: TaskSpec) -> None:
    """Raises for the first setting that was made and would do nothing."""
    data, train, plain = spec.data, spec.train, TrainSpec()
    contrastive = train.recipe == "contrastive"
    pairs = spec.kind == "similarity" and data.pairs != "none"
    unused = {
        "`pairs` in [data]": (data.pairs != "none" and spec.kind != "similarity", "similarity"),
        "`label_separator` in [data]": (bool(data.label_separator) and not spec.multi_label, "`multi_label = true`"),
        "`tag_scheme` in [data]": (
            data.tag_scheme != "bio2" and spec.kind != "token-classification",
            "token-classification",
        ),
        "`tag_names` in [data]": (bool(data.tag_names) and spec.kind != "token-classification", "token-classification"),
        "`slice_columns` in [data]": (
            bool(data.slice_columns) and spec.kind == "similarity" and data.pairs == "scored",
            "kinds whose answers are right or wrong",
        ),
        "`sampling` in [data]": (data.sampling != "none" and pairs, "rows with labels or answers"),
        "[train.contrastive]": (
            train.contrastive != ContrastiveSpec() and not contrastive,
            'training with `recipe = "contrastive"` in [train]',
        ),
    } | {
        # Recovery from pruning is plain fine-tuning, and takes them.
        f"`{name}` in [train]": (
            contrastive and not spec.prune.enabled and getattr(train, name) != getattr(plain, name),
            'training with `recipe = "fine-tune"`',
        )
        for name in ("gradient_accumulation", "label_smoothing", "class_weights", "focal_gamma")
    }
    for name, (is_unused, use) in unused.items():
        if is_unused:
            raise TrainingError(f"{name} is set and would do nothing: it is for {use}. Remove it.")


def _check_gate(spec: TaskSpec) -> None:
    """Raises for a floor under a figure that the kind does not have, which no training could reach."""
    known = [f"min_{name}" for name in kind_of(spec).gated]
    for name, floor in spec.gate:
        if name.startswith("min_") and floor != 0 and name not in known:
            raise TrainingError(
                f"[gate] {name} is {floor:g}, which this kind of task does not measure. Remove it; it has "
                f"{' and '.join(known)}."
            )


def pinned(spec: TaskSpec, base: BaseModel) -> TaskSpec:
    """The task with a base model that a retraining finds from any working folder."""
    if base.source != "folder":
        return spec
    return spec.model_copy(update={"model": spec.model.model_copy(update={"base": str(base.folder)})})
