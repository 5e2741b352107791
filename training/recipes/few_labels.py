"""Learning from 8 to 64 texts a label: draw the labels apart in the embedding, then put a linear head on it.

In the manner of SetFit (Tunstall et al. 2022, arXiv 2209.11055), whose pairs are here all pairs of a batch: for the
same number of texts run through the encoder that is `batch_size` times as many pairs.
"""

from __future__ import annotations

import math
import random
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import torch
from safetensors.torch import load_file, save
from torch import nn

from contracts.errors import TrainingError
from contracts.files import write_atomic
from contracts.reference import Floats
from contracts.task import TrainSpec
from training.kinds.vector_objectives import contrast_loss
from training.learning.checkpoint import put_weights, trained_weights
from training.learning.classifier import TextClassifier
from training.learning.device import reproducible, training_device
from training.learning.lesson import Encoded, Epoch
from training.learning.network import Network
from training.learning.objective import ONE_LABEL, pad_batch
from training.learning.precision import this_cpu, trains_in_bf16
from training.learning.schedule import make_optimizer, rate_factor, set_rates
from training.progress import Stage
from training.recipes.linear_head import LinearHead, fit_head
from training.recipes.pairs import batches_of_pairs

_EVALUATION_BATCH = 64
_LONGEST_GRADIENT = 1.0  # the norm above which a step's gradient is cut, as the Trainer does


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
    train on, accuracy is mostly chance. Its weights are kept in `folder` meanwhile. Raises TrainingError for a task
    whose texts have not one label each, and when a loss is no finite number, naming the step; OSError where there is no
    room for the weights.
    """
    if not isinstance(model, TextClassifier) or model.objective is not ONE_LABEL:
        raise TrainingError(
            'The recipe "contrastive" is for classification with one label a text. Set `recipe = "fine-tune"` in '
            "[train]."
        )
    model.to(training_device())
    rng = random.Random(recipe.seed)
    torch.manual_seed(recipe.seed)
    # Groups of texts are the same in number every epoch, whichever texts they are of.
    steps = recipe.epochs * len(_batches(train, recipe, random.Random(recipe.seed)))
    drawing = _Drawing(model, recipe, steps)
    stage.expect(steps)
    epochs: list[Epoch] = []
    best: Epoch | None = None
    kept = folder / "best.safetensors"
    for number in range(1, recipe.epochs + 1):
        model.train()
        losses = []
        for batch in _batches(train, recipe, rng):
            losses.append(drawing.step([train.ids[row] for row in batch], [train.labels[row] for row in batch]))
            stage.advance()
        head = _fit_head(model, train, validation)
        head.write_to(model.head)
        epoch = Epoch(number, sum(losses) / len(losses), head.validation_loss, head.validation_accuracy)
        epochs.append(epoch)
        stage.line(
            f"epoch {number}/{recipe.epochs}: contrastive loss {epoch.train_loss:.3f}, "
            f"validation loss {epoch.validation_loss:.3f}, accuracy {epoch.validation_score:.4f}"
        )
        if watch is not None:
            watch(epoch)
        if best is None or epoch.validation_loss < best.validation_loss:
            best = epoch
            weights = {name: value.detach().cpu().contiguous() for name, value in trained_weights(model).items()}
            write_atomic(kept, save(weights))
        elif number - best.number >= recipe.patience and number < recipe.epochs:
            stage.line(f"stopped early: no lower validation loss since epoch {best.number}")
            break
    put_weights(model, load_file(kept))
    kept.unlink()
    model.to("cpu").eval()
    return epochs


class _Drawing:
    """The optimizer that draws texts of one label together and others apart, batch by batch."""

    def __init__(self, model: TextClassifier, recipe: TrainSpec, steps: int) -> None:
        self._model = model
        self._recipe = recipe
        self._steps = steps
        self._taken = 0
        self._device = next(model.parameters()).device
        self._bf16 = trains_in_bf16(recipe, on_cpu=self._device.type == "cpu", cpu_info=this_cpu())
        self._optimizer = make_optimizer(model, recipe)

    def step(self, ids: Sequence[Sequence[int]], labels: Sequence[int]) -> float:
        """Learn from one batch; returns its loss."""
        inputs = {name: value.to(self._device) for name, value in pad_batch(ids).items()}
        with torch.autocast(self._device.type, dtype=torch.bfloat16, enabled=self._bf16):
            embedding = self._model(**inputs)["embedding"]
        truth = torch.tensor(labels, device=self._device)
        loss = contrast_loss(embedding, truth, 1 / self._recipe.contrastive.temperature)
        found = float(loss.detach())
        if not math.isfinite(found):
            raise TrainingError(
                f"Training stopped at step {self._taken + 1}: the loss is {found}, expected a finite "
                f"number. Lower `learning_rate` in [train] (it is {self._recipe.learning_rate:g}), or use another "
                "base model if this happens at step 1."
            )
        torch.autograd.backward(loss)
        nn.utils.clip_grad_norm_(self._model.encoder.parameters(), _LONGEST_GRADIENT)
        factor = rate_factor(
            self._taken, self._steps, schedule=self._recipe.schedule, warmup_ratio=self._recipe.warmup_ratio
        )
        set_rates(self._optimizer, factor)
        self._optimizer.step()
        self._taken += 1
        self._optimizer.zero_grad(set_to_none=True)
        return found


def embed(model: TextClassifier, encoded: Encoded) -> Floats:
    """[n, hidden] embeddings, in fp32, in batches of similar length."""
    device = next(model.parameters()).device
    order = np.argsort([len(ids) for ids in encoded.ids], kind="stable")
    found = []
    model.eval()
    with torch.inference_mode():
        for start in range(0, len(order), _EVALUATION_BATCH):
            batch = pad_batch([encoded.ids[row] for row in order[start : start + _EVALUATION_BATCH]])
            found.append(model(**{name: value.to(device) for name, value in batch.items()})["embedding"].cpu().numpy())
    embeddings: Floats = np.concatenate(found)[np.argsort(order, kind="stable")]
    return embeddings


def _fit_head(model: TextClassifier, train: Encoded, validation: Encoded) -> LinearHead:
    return fit_head(
        embed(model, train),
        np.asarray(train.labels, dtype=np.int64),
        embed(model, validation),
        np.asarray(validation.labels, dtype=np.int64),
        count=model.head.out_features,
    )


def _batches(train: Encoded, recipe: TrainSpec, rng: random.Random) -> list[list[int]]:
    return batches_of_pairs(train.labels, recipe.batch_size, recipe.contrastive.texts_per_label, rng)
