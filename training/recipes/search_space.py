"""From `[search]` to the settings of one trial."""

from __future__ import annotations

import optuna

from contracts.task import TaskSpec


def drawn(trial: optuna.Trial, spec: TaskSpec, layers: int) -> dict[str, float]:
    """This trial's settings; `layers` are those of the base model, more than which cannot be frozen."""
    space = spec.search
    lowest, highest = (min(bound, layers) for bound in space.freeze_layers)
    chosen = {
        "learning_rate": trial.suggest_float("learning_rate", *space.learning_rate, log=True),
        "epochs": trial.suggest_int("epochs", *space.epochs),
        "batch_size": int(trial.suggest_categorical("batch_size", list(space.batch_size))),
        "freeze_layers": trial.suggest_int("freeze_layers", lowest, highest),
    }
    # Similarity has no labels to smooth, and a task file that says so is refused.
    if spec.train.recipe == "fine-tune" and spec.kind != "similarity":
        chosen["label_smoothing"] = trial.suggest_float("label_smoothing", *space.label_smoothing)
    return chosen
