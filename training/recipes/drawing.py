"""Drawing texts of one label together and others apart, batch by batch, and where that leaves them."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor, nn

from contracts.reference import Floats
from contracts.task import TrainSpec
from training.kinds.vector_objectives import contrast_loss
from training.learning.classifier import TextClassifier
from training.learning.group import Group, current_group
from training.learning.lesson import Encoded
from training.learning.objective import pad_batch
from training.learning.precision import this_cpu, trains_in_bf16
from training.learning.schedule import make_optimizer, rate_factor, set_rates
from training.learning.step import refuse_no_number, seed_of

_EVALUATION_BATCH = 64
_LONGEST_GRADIENT = 1.0  # the norm above which a step's gradient is cut, as the Trainer does


class Drawing:
    """The optimizer of an encoder, with its schedule of `steps` steps."""

    def __init__(self, model: TextClassifier, train: Encoded, recipe: TrainSpec, steps: int, group: Group) -> None:
        self.optimizer = make_optimizer(model, recipe)
        self._model = model
        self._train = train
        self._recipe = recipe
        self._steps = steps
        self._group = group
        self._device = next(model.parameters()).device
        self._bf16 = trains_in_bf16(recipe, on_cpu=self._device.type == "cpu", cpu_info=this_cpu())
        self._trained = [parameter for parameter in model.encoder.parameters() if parameter.requires_grad]

    def step(self, number: int, rows: Sequence[int]) -> float:
        """Take step `number`, from 0, over these rows; returns its loss.

        What is random in it is decided by seed, step and rank alone. Each process runs its share of the rows through
        the encoder, and every text meets all others of the batch, however many processes there are.
        Raises TrainingError when the loss or its gradient is no finite number; the network is unchanged then.
        """
        group, recipe = self._group, self._recipe
        torch.manual_seed(seed_of(recipe.seed, number, group.rank))
        shares = [rows[rank :: group.size] for rank in range(group.size)]
        embedded = self._together(self._embed(shares[group.rank]))
        labels = torch.tensor([self._train.labels[row] for share in shares for row in share], device=self._device)
        loss = contrast_loss(embedded, labels, 1 / recipe.contrastive.temperature)
        found = float(loss.detach())
        refuse_no_number("loss", found, number, recipe.learning_rate)
        if loss.requires_grad:
            torch.autograd.backward(loss)
        # The others' embeddings are constants here: the sum of all processes' gradients is that of the whole batch.
        group.add_gradients(self._trained, ())
        norm = float(nn.utils.clip_grad_norm_(self._trained, _LONGEST_GRADIENT))
        refuse_no_number("norm of the gradient", norm, number, recipe.learning_rate)
        set_rates(
            self.optimizer,
            rate_factor(number, self._steps, schedule=recipe.schedule, warmup_ratio=recipe.warmup_ratio),
        )
        self.optimizer.step()
        self.optimizer.zero_grad(set_to_none=True)
        return found

    def _embed(self, rows: Sequence[int]) -> Tensor:
        """[rows, hidden], of this process's share; of the last, small batch it may be no row."""
        if not rows:
            return torch.zeros(0, int(self._model.config.hidden_size), device=self._device)
        batch = pad_batch([self._train.ids[row] for row in rows])
        inputs = {name: value.to(self._device) for name, value in batch.items()}
        with torch.autocast(self._device.type, dtype=torch.bfloat16, enabled=self._bf16):
            embedding: Tensor = self._model(**inputs)["embedding"]
        return embedding.float()

    def _together(self, own: Tensor) -> Tensor:
        """[batch, hidden] embeddings of all processes, in the order of their ranks."""
        if self._group.size == 1:
            return own
        found = [share.to(self._device) for share in self._group.gather(own.detach().cpu())]
        found[self._group.rank] = own
        return torch.cat(found)


def embed(model: TextClassifier, encoded: Encoded) -> Floats:
    """[n, hidden] embeddings, in fp32, in batches of similar length, each process its share of the batches."""
    group = current_group()
    device = next(model.parameters()).device
    order = np.argsort([len(ids) for ids in encoded.ids], kind="stable")
    batches = [order[start : start + _EVALUATION_BATCH] for start in range(0, len(order), _EVALUATION_BATCH)]
    found: dict[int, Floats] = {}
    model.eval()
    with torch.inference_mode():
        for number in range(group.rank, len(batches), group.size):
            batch = pad_batch([encoded.ids[row] for row in batches[number]])
            inputs = {name: value.to(device) for name, value in batch.items()}
            found[number] = model(**inputs)["embedding"].cpu().numpy()
    whole = {number: part for share in group.gather(found) for number, part in share.items()}
    embeddings: Floats = np.concatenate([whole[number] for number in range(len(batches))])
    return embeddings[np.argsort(order, kind="stable")]
