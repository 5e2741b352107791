"""Learning from 8 to 64 texts a label: draw the labels apart in the embedding, then put a linear head on it.

In the manner of SetFit (Tunstall et al. 2022, arXiv 2209.11055), whose pairs are here all pairs of a batch: for the
same number of texts run through the encoder that is `batch_size` times as many pairs.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from pathlib import Path

import numpy as np
from torch import Tensor

from contracts.errors import TrainingError
from contracts.task import TrainSpec
from training.learning.checkpoint import fingerprint, put_weights
from training.learning.classifier import TextClassifier
from training.learning.device import reproducible, training_device
from training.learning.group import current_group
from training.learning.lesson import Encoded, Epoch
from training.learning.network import Network
from training.learning.objective import ONE_LABEL
from training.learning.resumption import Resumption
from training.progress import Stage
from training.recipes.drawing import Drawing, embed
from training.recipes.linear_head import LinearHead, fit_head
from training.recipes.pairs import batches_of_pairs


@reproducible()
def contrast(
    model: Network,
    train: Encoded,
    validation: Encoded,
    recipe: TrainSpec,
    *,
    folder: Path,
    stage: Stage,
    watch: Callable[[Epoch], None] | None = None,
) -> list[Epoch]:
    """Train the encoder by pairs and fit its head after each epoch; leaves the best epoch's weights in the model.

    The best epoch is that of the lowest validation loss: among the few texts that validate, as few as there are to
    train on, accuracy is mostly chance. A checkpoint in `folder` that an interrupted run of this very training left
    behind is gone on from, to the same result. Raises TrainingError for a task whose texts have not one label each,
    when a loss is no finite number, naming the step, and when a checkpoint cannot be written.
    """
    if not isinstance(model, TextClassifier) or model.objective is not ONE_LABEL:
        raise TrainingError(
            'The recipe "contrastive" is for classification with one label a text. Set `recipe = "fine-tune"` in '
            "[train]."
        )
    training = _Training(model, train, validation, recipe, folder=folder, stage=stage)
    try:
        while not training.finished:
            epoch = training.run_epoch()
            if watch is not None:
                watch(epoch)
    finally:
        model.to("cpu").eval()
    put_weights(model, training.best)
    return training.epochs


class _Training:
    """One training under way, at the place where an interrupted one stopped."""

    def __init__(
        self,
        model: TextClassifier,
        train: Encoded,
        validation: Encoded,
        recipe: TrainSpec,
        *,
        folder: Path,
        stage: Stage,
    ) -> None:
        self._model = model
        self._train = train
        self._validation = validation
        self._recipe = recipe
        self._stage = stage
        self._group = current_group()
        mark = fingerprint(model, train, validation, recipe)
        model.to(training_device())
        # Groups of texts are the same in number every epoch, whichever texts they are of.
        self._steps_an_epoch = len(self._batches(0))
        steps = recipe.epochs * self._steps_an_epoch
        self._drawing = Drawing(model, train, recipe, steps, self._group)
        self._kept = Resumption(model, self._drawing.optimizer, mark=mark, folder=folder, group=self._group)
        stage.expect(steps)
        self._kept.resume(stage, self._steps_an_epoch)

    @property
    def epochs(self) -> list[Epoch]:
        """Those that are over."""
        return self._kept.position.epochs

    @property
    def best(self) -> dict[str, Tensor]:
        """The weights of the best epoch, head included."""
        return self._kept.best

    @property
    def finished(self) -> bool:
        """Whether all epochs are done, or patience is at its end."""
        done = len(self.epochs)
        return done >= self._recipe.epochs or (bool(done) and done - self._best_number() >= self._recipe.patience)

    def run_epoch(self) -> Epoch:
        """The rest of the epoch under way, its head, and what validation says of it."""
        number = len(self.epochs) + 1
        batches = self._batches(number - 1)
        losses = self._kept.position.losses
        self._model.train()
        for step in range(len(losses), self._steps_an_epoch):
            losses.append(self._drawing.step((number - 1) * self._steps_an_epoch + step, batches[step]))
            self._stage.advance()
            self._kept.save_when_due()
        head = self._fit_head()
        head.write_to(self._model.head)
        epoch = Epoch(number, sum(losses) / len(losses), head.validation_loss, head.validation_accuracy)
        self._end_epoch(epoch)
        return epoch

    def _end_epoch(self, epoch: Epoch) -> None:
        self.epochs.append(epoch)
        self._kept.position.losses = []
        self._stage.line(
            f"epoch {epoch.number}/{self._recipe.epochs}: contrastive loss {epoch.train_loss:.3f}, "
            f"validation loss {epoch.validation_loss:.3f}, accuracy {epoch.validation_score:.4f}"
        )
        if self._best_number() == epoch.number:
            self._kept.keep_as_best()
        self._kept.save(over=self.finished)
        if self.finished and epoch.number < self._recipe.epochs:
            self._stage.line(f"stopped early: no lower validation loss since epoch {self._best_number()}")

    def _best_number(self) -> int:
        return min(self.epochs, key=lambda epoch: (epoch.validation_loss, epoch.number)).number

    def _fit_head(self) -> LinearHead:
        """By the leading process, for all of them."""
        train, validation = (embed(self._model, encoded) for encoded in (self._train, self._validation))
        head = None
        if self._group.leads:
            labels, truth = (np.asarray(one.labels, dtype=np.int64) for one in (self._train, self._validation))
            head = fit_head(train, labels, validation, truth, count=self._model.head.out_features)
        return self._group.share(head)

    def _batches(self, epoch: int) -> list[list[int]]:
        """Those of an epoch, from 0: a function of the seed and the epoch alone."""
        recipe = self._recipe
        rng = random.Random(f"{recipe.seed} {epoch}")
        return batches_of_pairs(self._train.labels, recipe.batch_size, recipe.contrastive.texts_per_label, rng)
