"""Fine-tuning with Hugging Face's `Trainer`: warm-up, early stopping on validation accuracy, soft labels if wanted."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.utils.data import Dataset
from transformers import (
    EvalPrediction,
    PrinterCallback,
    Trainer,
    TrainerCallback,
    TrainerControl,
    TrainerState,
    TrainingArguments,
)

from contracts.errors import TrainingError
from contracts.task import TrainSpec
from training.learning.network import Network
from training.learning.objective import LossSettings, Objective
from training.learning.precision import this_cpu, trains_in_bf16
from training.progress import Stage

_EVALUATION_BATCH = 64


@dataclass(frozen=True)
class Encoded:
    """n texts as token ids, with what is to be learned of each: of a label a text, its index."""

    ids: Sequence[Sequence[int]]
    labels: Sequence[Any]
    segments: Sequence[Sequence[int]] | None = None  # token type ids, where a text is made of several

    def __len__(self) -> int:
        return len(self.ids)

    def first(self, count: int) -> Encoded:
        """The first so many of them."""
        segments = None if self.segments is None else self.segments[:count]
        return Encoded(self.ids[:count], self.labels[:count], segments)

    def row(self, index: int) -> dict[str, Any]:
        """One of them, as an objective makes batches of."""
        row = {"input_ids": self.ids[index], "labels": self.labels[index]}
        if self.segments is not None:
            row["token_type_ids"] = self.segments[index]
        return row


@dataclass(frozen=True)
class Teacher:
    """A model whose probabilities are learned beside the true labels, with this weight, 0..1."""

    model: Network
    weight: float


@dataclass(frozen=True)
class Epoch:
    """One pass over the training texts, and what validation said afterwards.

    `validation_accuracy` is the objective's score, whatever its name.
    """

    number: int
    train_loss: float
    validation_loss: float
    validation_accuracy: float


def fine_tune(
    model: Network,
    train: Encoded,
    validation: Encoded,
    recipe: TrainSpec,
    *,
    folder: Path,
    stage: Stage,
    teacher: Teacher | None = None,
    watch: Callable[[Epoch], None] | None = None,
) -> list[Epoch]:
    """Train in place and leave the weights of the best epoch in the model, on the CPU; returns all epochs.

    `folder` is for the Trainer's own files; no checkpoints are written. `watch` is told each epoch as it ends, and
    may stop the training by raising. Raises TrainingError when a loss is no finite number, naming the step.
    """
    on_cpu = not (torch.cuda.is_available() or torch.backends.mps.is_available())
    arguments = TrainingArguments(
        output_dir=str(folder),
        num_train_epochs=recipe.epochs,
        per_device_train_batch_size=recipe.batch_size,
        per_device_eval_batch_size=_EVALUATION_BATCH,
        learning_rate=recipe.learning_rate,
        warmup_ratio=recipe.warmup_ratio,
        weight_decay=recipe.weight_decay,
        seed=recipe.seed,
        data_seed=recipe.seed,
        group_by_length=True,
        use_cpu=on_cpu,
        bf16=trains_in_bf16(recipe, on_cpu=on_cpu, cpu_info=this_cpu()),
        eval_strategy="epoch",
        logging_strategy="epoch",
        save_strategy="no",
        logging_nan_inf_filter=False,
        label_names=["labels"],
        remove_unused_columns=False,
        dataloader_pin_memory=False,
        disable_tqdm=True,
        log_level="error",
        report_to=[],
    )
    objective = model.objective
    best = _BestEpoch(model, recipe.patience, stage, watch)
    trainer = _ObjectiveTrainer(
        model=model,
        args=arguments,
        train_dataset=_Rows(train),
        eval_dataset=_Rows(validation),
        data_collator=objective.collate,
        compute_metrics=lambda found: _score(objective, found),
        callbacks=[best],
        objective=objective,
        teacher=teacher,
        settings=LossSettings(label_smoothing=recipe.label_smoothing),
    )
    trainer.train(ignore_keys_for_eval=[name for name in ("logits", "embedding") if name != objective.output])
    # In bfloat16 the Trainer wraps the model's forward, which an export cannot trace.
    trainer.accelerator.unwrap_model(model, keep_fp32_wrapper=False)
    best.restore()
    model.to("cpu").eval()
    return best.epochs


class _Rows(Dataset[dict[str, Any]]):
    def __init__(self, encoded: Encoded) -> None:
        self._encoded = encoded

    def __len__(self) -> int:
        return len(self._encoded)

    def __getitem__(self, index: int) -> dict[str, Any]:
        return self._encoded.row(index)


def _score(objective: Objective, prediction: EvalPrediction) -> dict[str, float]:
    return {"score": objective.score([np.asarray(prediction.predictions)], [np.asarray(prediction.label_ids)])}


class _ObjectiveTrainer(Trainer):
    """An objective's loss, with a teacher's soft labels where there is one; stops at a loss that is no number."""

    def __init__(
        self, *, objective: Objective, teacher: Teacher | None, settings: LossSettings, **options: Any
    ) -> None:
        super().__init__(**options)
        Trainer.remove_callback(self, PrinterCallback)
        self._objective = objective
        self._teacher = teacher
        self._settings = settings
        if teacher is not None:
            teacher.model.to(self.args.device).eval()

    def compute_loss(
        self,
        model: nn.Module,
        inputs: dict[str, Any],
        return_outputs: bool = False,
        num_items_in_batch: Tensor | int | None = None,
    ) -> Any:
        labels = inputs.pop("labels")
        outputs = model(**inputs)
        found = outputs[self._objective.output]
        if not model.training:
            loss = self._objective.loss(found, labels, LossSettings())
            return (loss, {"loss": loss, **outputs}) if return_outputs else loss
        loss = self._objective.loss(found, labels, self._settings)
        if self._teacher is not None and self._objective.soft_loss is not None:
            with torch.no_grad():
                taught = self._teacher.model(**inputs)[self._objective.output]
            soft = self._objective.soft_loss(found, taught, labels)
            loss = (1 - self._teacher.weight) * loss + self._teacher.weight * soft
        if not math.isfinite(float(loss.detach())):
            raise TrainingError(
                f"Training stopped at step {self.state.global_step + 1}: the loss is {float(loss.detach())}, expected "
                f"a finite number. Lower `learning_rate` in [train] (it is {self.args.learning_rate:g}), or use "
                "another base model if this happens at step 1."
            )
        return loss


class _BestEpoch(TrainerCallback):
    """Keeps the best epoch's weights in memory, stops when it was too long ago, moves the bar."""

    def __init__(
        self,
        model: Network,
        patience: int,
        stage: Stage,
        watch: Callable[[Epoch], None] | None,
    ) -> None:
        self.epochs: list[Epoch] = []
        self._model = model
        self._patience = patience
        self._stage = stage
        self._watch = watch
        self._score_name = model.objective.score_name
        self._best: tuple[float, float] | None = None
        self._best_number = 0
        self._weights: dict[str, Tensor] = {}
        self._train_loss = 0.0

    def on_train_begin(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **_: Any) -> None:
        self._stage.expect(state.max_steps)

    def on_step_end(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **_: Any) -> None:
        self._stage.advance()

    def on_log(
        self,
        args: TrainingArguments,
        state: TrainerState,
        control: TrainerControl,
        logs: dict[str, float] | None = None,
        **_: Any,
    ) -> None:
        if logs is not None and "loss" in logs:
            self._train_loss = float(logs["loss"])

    def on_evaluate(
        self,
        args: TrainingArguments,
        state: TrainerState,
        control: TrainerControl,
        metrics: dict[str, float] | None = None,
        **_: Any,
    ) -> None:
        found = metrics or {}
        number = len(self.epochs) + 1
        epoch = Epoch(number, self._train_loss, float(found["eval_loss"]), float(found["eval_score"]))
        self.epochs.append(epoch)
        self._stage.line(
            f"epoch {number}/{math.ceil(args.num_train_epochs)}: loss {epoch.train_loss:.3f}, "
            f"validation loss {epoch.validation_loss:.3f}, {self._score_name} {epoch.validation_accuracy:.4f}"
        )
        if self._watch is not None:
            self._watch(epoch)
        reached = (epoch.validation_accuracy, -epoch.validation_loss)
        if self._best is None or reached > self._best:
            if self._best is None or reached[0] > self._best[0]:
                self._best_number = number
            self._best = reached
            self._weights = {name: value.detach().clone() for name, value in self._model.state_dict().items()}
        if number - self._best_number >= self._patience and number < args.num_train_epochs:
            self._stage.line(f"stopped early: no better validation {self._score_name} since epoch {self._best_number}")
            control.should_training_stop = True

    def restore(self) -> None:
        """Put the best epoch's weights back."""
        self._model.load_state_dict(self._weights)
