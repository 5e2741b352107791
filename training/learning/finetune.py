"""Fine-tuning, told from top to bottom: epochs of steps, validation after each, checkpoints, the best weights kept."""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path

from torch import Tensor

from contracts.task import TrainSpec
from training.learning.batches import grouped_by_length
from training.learning.checkpoint import Position, fingerprint, put_weights
from training.learning.device import reproducible, training_device
from training.learning.dropout import lanes
from training.learning.group import current_group
from training.learning.lesson import Encoded, Epoch, Teacher, best_epoch, epochs_without_gain
from training.learning.network import Network
from training.learning.precision import this_cpu, trains_in_bf16
from training.learning.resumption import Resumption
from training.learning.step import Learner
from training.learning.validate import validate
from training.learning.weighting import loss_settings
from training.progress import Stage

__all__ = ["Encoded", "Epoch", "Teacher", "fine_tune"]


@reproducible()
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

    A checkpoint in `folder` that an interrupted run of this very training left behind is gone on from, to the same
    result. `watch` is told each epoch as it ends, and may stop the training by raising. Raises TrainingError when a
    loss is no finite number, naming the step, or when a checkpoint cannot be written.
    """
    training = _Training(model, train, validation, recipe, folder=folder, stage=stage, teacher=teacher)
    training.resume()
    try:
        with lanes(model, on_cpu=training.device.type == "cpu"):
            while not training.finished:
                epoch = training.run_epoch()
                if watch is not None:
                    watch(epoch)
    finally:
        model.to("cpu").eval()
    put_weights(model, training.best)
    return training.position.epochs


class _Training:
    """One training under way."""

    def __init__(
        self,
        model: Network,
        train: Encoded,
        validation: Encoded,
        recipe: TrainSpec,
        *,
        folder: Path,
        stage: Stage,
        teacher: Teacher | None,
    ) -> None:
        self._model = model
        self._train = train
        self._validation = validation
        self._recipe = recipe
        self._stage = stage
        self._group = current_group()
        self.device = training_device()
        self._bf16 = trains_in_bf16(recipe, on_cpu=self.device.type == "cpu", cpu_info=this_cpu())
        mark = fingerprint(model, train, validation, recipe)
        self._steps_an_epoch = math.ceil(len(self._batches(0)) / recipe.gradient_accumulation)
        model.to(self.device).train()
        if teacher is not None:
            teacher.model.to(self.device).eval()
        self._learner = Learner(
            model,
            train,
            recipe,
            steps=recipe.epochs * self._steps_an_epoch,
            settings=loss_settings(recipe, train),
            device=self.device,
            bf16=self._bf16,
            group=self._group,
            teacher=teacher,
        )
        self._kept = Resumption(model, self._learner.optimizer, mark=mark, folder=folder, group=self._group)
        stage.expect(recipe.epochs * self._steps_an_epoch)

    @property
    def position(self) -> Position:
        """How far it has come."""
        return self._kept.position

    @property
    def best(self) -> dict[str, Tensor]:
        """The weights of the best epoch."""
        return self._kept.best

    @property
    def finished(self) -> bool:
        """Whether all epochs are done, or patience is at its end."""
        done = self.position.epochs
        return len(done) >= self._recipe.epochs or bool(done and epochs_without_gain(done) >= self._recipe.patience)

    def resume(self) -> None:
        """Go on from the checkpoint, if there is one of this training."""
        self._kept.resume(self._stage, self._steps_an_epoch)

    def run_epoch(self) -> Epoch:
        """The rest of the epoch under way, and what validation says after it."""
        number = len(self.position.epochs) + 1
        batches = self._batches(number - 1)
        first = (number - 1) * self._steps_an_epoch
        together = self._recipe.gradient_accumulation
        for step in range(self.position.steps, self._steps_an_epoch):
            loss = self._learner.step(first + step, batches[step * together : (step + 1) * together])
            self.position.losses.append(loss)
            self._stage.advance()
            self._kept.save_when_due()
        return self._end_epoch(number)

    def _end_epoch(self, number: int) -> Epoch:
        found = validate(self._model, self._validation, device=self.device, bf16=self._bf16, group=self._group)
        losses = self.position.losses
        epoch = Epoch(number, sum(losses) / len(losses), found.loss, found.score)
        self.position.epochs.append(epoch)
        self.position.losses = []
        self._stage.line(
            f"epoch {number}/{self._recipe.epochs}: loss {epoch.train_loss:.3f}, validation loss "
            f"{epoch.validation_loss:.3f}, {self._model.objective.score_name} {epoch.validation_score:.4f}"
        )
        if best_epoch(self.position.epochs) is epoch:
            self._kept.keep_as_best()
        self._kept.save(over=self.finished)
        if self.finished and number < self._recipe.epochs:
            since = number - epochs_without_gain(self.position.epochs)
            self._stage.line(
                f"stopped early: no better validation {self._model.objective.score_name} since epoch {since}"
            )
        return epoch

    def _batches(self, epoch: int) -> list[list[int]]:
        lengths = [len(ids) for ids in self._train.ids]
        return grouped_by_length(lengths, self._recipe.batch_size, seed=self._recipe.seed, epoch=epoch)
