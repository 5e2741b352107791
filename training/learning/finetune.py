"""Fine-tuning, told from top to bottom: epochs of steps, validation after each, checkpoints, the best weights kept."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from pathlib import Path

from torch import Tensor

from contracts.errors import TrainingError
from contracts.task import TrainSpec
from training.learning.batches import grouped_by_length
from training.learning.checkpoint import (
    Checkpoint,
    Position,
    fingerprint,
    load_checkpoint,
    moments_of,
    put_moments,
    put_weights,
    save_checkpoint,
    trained_weights,
)
from training.learning.device import reproducible, training_device
from training.learning.dropout import lanes
from training.learning.group import current_group
from training.learning.lesson import Encoded, Epoch, Teacher, best_epoch, epochs_without_gain
from training.learning.network import Network
from training.learning.precision import this_cpu, trains_in_bf16
from training.learning.step import Learner
from training.learning.validate import validate
from training.learning.weighting import loss_settings
from training.progress import Stage

__all__ = ["Encoded", "Epoch", "Teacher", "fine_tune"]

_CHECKPOINT_SECONDS = 600.0  # within an epoch; at the end of each there is one in any case


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
        self.position = Position()
        self.best: dict[str, Tensor] = {}
        self._model = model
        self._train = train
        self._validation = validation
        self._recipe = recipe
        self._stage = stage
        self._group = current_group()
        self.device = training_device()
        self._bf16 = trains_in_bf16(recipe, on_cpu=self.device.type == "cpu", cpu_info=this_cpu())
        self._mark = fingerprint(model, train, validation, recipe)
        self._path = folder / f"checkpoint-{self._mark[:12]}.safetensors"
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
        self._saved = time.monotonic()
        stage.expect(recipe.epochs * self._steps_an_epoch)

    @property
    def finished(self) -> bool:
        """Whether all epochs are done, or patience is at its end."""
        done = self.position.epochs
        return len(done) >= self._recipe.epochs or bool(done and epochs_without_gain(done) >= self._recipe.patience)

    def resume(self) -> None:
        """Go on from the checkpoint, if there is one of this training."""
        if len(set(self._group.gather(self._mark))) > 1:
            raise TrainingError(
                "The processes of this training do not see the same data, base model and recipe. Give all of them the "
                "same task file and files."
            )
        found = self._group.share((load_checkpoint(self._path, self._mark) if self._group.leads else None,))[0]
        if found is None:
            return
        self.position = found.position
        self.best = dict(found.best)
        put_weights(self._model, found.weights)
        put_moments(self._learner.optimizer, self._model, found.moments)
        done = len(self.position.epochs) * self._steps_an_epoch + self.position.steps
        self._stage.advance(done)
        self._stage.line(f"going on from step {done} of the training that was interrupted")

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
            if time.monotonic() - self._saved > _CHECKPOINT_SECONDS:
                self._save()
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
            self.best = {name: value.detach().clone() for name, value in trained_weights(self._model).items()}
        self._save()
        if self.finished and number < self._recipe.epochs:
            since = number - epochs_without_gain(self.position.epochs)
            self._stage.line(
                f"stopped early: no better validation {self._model.objective.score_name} since epoch {since}"
            )
        return epoch

    def _save(self) -> None:
        """Write a checkpoint; of a training that is over, the best weights are all that is still needed."""
        if self._group.leads:
            weights = {} if self.finished else trained_weights(self._model)
            moments = {} if self.finished else moments_of(self._learner.optimizer, self._model)
            save_checkpoint(self._path, Checkpoint(self.position, weights, self.best, moments), self._mark)
        self._saved = time.monotonic()

    def _batches(self, epoch: int) -> list[list[int]]:
        lengths = [len(ids) for ids in self._train.ids]
        return grouped_by_length(lengths, self._recipe.batch_size, seed=self._recipe.seed, epoch=epoch)
