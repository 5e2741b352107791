"""What lets a training go on where it was interrupted: how far it has come, its best weights, its checkpoint."""

from __future__ import annotations

import time
from pathlib import Path

import torch
from torch import Tensor, nn

from contracts.errors import TrainingError
from training.learning.checkpoint import (
    Checkpoint,
    Position,
    load_checkpoint,
    moments_of,
    put_moments,
    put_weights,
    save_checkpoint,
    trained_weights,
)
from training.learning.group import Group
from training.progress import Stage

_CHECKPOINT_SECONDS = 600.0  # within an epoch; at the end of each there is one in any case


class Resumption:
    """The part of a training that outlives its process, in one file that is named after its fingerprint, `mark`.

    Of several processes the leading one reads and writes the file, and all go on from what it found.
    """

    def __init__(
        self, model: nn.Module, optimizer: torch.optim.Optimizer, *, mark: str, folder: Path, group: Group
    ) -> None:
        self.position = Position()
        self.best: dict[str, Tensor] = {}  # the parameters that are trained, as they were after the best epoch
        self._model = model
        self._optimizer = optimizer
        self._mark = mark
        self._path = folder / f"checkpoint-{mark[:12]}.safetensors"
        self._group = group
        self._saved = time.monotonic()

    def resume(self, stage: Stage, steps_an_epoch: int) -> None:
        """Go on from the checkpoint, if there is one of this very training, and say so.

        Raises TrainingError when the processes are not about the same training.
        """
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
        put_moments(self._optimizer, self._model, found.moments)
        done = len(self.position.epochs) * steps_an_epoch + self.position.steps
        stage.advance(done)
        stage.line(f"going on from step {done} of the training that was interrupted")

    def keep_as_best(self) -> None:
        """The weights are, as they are now, the best so far."""
        self.best = {name: value.detach().clone() for name, value in trained_weights(self._model).items()}

    def save(self, *, over: bool) -> None:
        """Write a checkpoint; of a training that is over, the best weights are all that is still needed.

        Raises TrainingError when it cannot be written.
        """
        if self._group.leads:
            weights = {} if over else trained_weights(self._model)
            moments = {} if over else moments_of(self._optimizer, self._model)
            save_checkpoint(self._path, Checkpoint(self.position, weights, self.best, moments), self._mark)
        self._saved = time.monotonic()

    def save_when_due(self) -> None:
        """Within an epoch: write a checkpoint when the last one is ten minutes old."""
        if time.monotonic() - self._saved > _CHECKPOINT_SECONDS:
            self.save(over=False)
