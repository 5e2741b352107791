"""One step of learning: rows in, loss out, the network changed."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor
from torch.nn.utils import get_total_norm

from contracts.errors import TrainingError
from contracts.task import TrainSpec
from training.learning.batches import within_tokens
from training.learning.group import Group
from training.learning.lesson import Encoded, Teacher
from training.learning.network import Network
from training.learning.objective import LossSettings
from training.learning.schedule import make_optimizer, rate_factor, set_rates

TOKENS_AT_ONCE = 16_384  # of a step that is larger, parts are run one after the other: it bounds the memory, no more
_LONGEST_GRADIENT = 1.0  # a step's gradient of a larger norm is cut to it (Pascanu et al. 2013, arXiv 1211.5063)


class Learner:
    """A network with its optimizer and its schedule of `steps` steps."""

    def __init__(
        self,
        model: Network,
        train: Encoded,
        recipe: TrainSpec,
        *,
        steps: int,
        settings: LossSettings,
        device: torch.device,
        bf16: bool,
        group: Group,
        teacher: Teacher | None,
    ) -> None:
        self.optimizer = make_optimizer(model, recipe)
        self._model = model
        self._train = train
        self._lengths = [len(ids) for ids in train.ids]
        self._recipe = recipe
        self._steps = steps
        self._settings = settings
        self._device = device
        self._bf16 = bf16
        self._group = group
        self._teacher = teacher
        self._trained = [parameter for parameter in model.parameters() if parameter.requires_grad]

    def step(self, number: int, batches: Sequence[Sequence[int]]) -> float:
        """Take step `number`, from 0, over the rows of these batches; returns its mean loss.

        What is random in it is decided by seed, step and rank alone. Each process runs its share of every batch, and
        the gradient is that of the mean over all rows, however many processes and parts they are run in.
        Raises TrainingError when the loss or its gradient is no finite number; the network is unchanged then.
        """
        group = self._group
        torch.manual_seed(seed_of(self._recipe.seed, number, group.rank))
        parts = [self._collate(part) for batch in batches for part in self._parts(batch)]
        # Of labels where they are made: to ask a graphics card is to wait for it.
        weights = [self._model.objective.weight(inputs["labels"], self._settings) for inputs in parts]
        whole = (sum(weights) or 1.0) if group.size == 1 else 1.0
        total = 0.0
        for inputs, weight in zip(parts, weights, strict=True):
            placed = {name: value.to(self._device) for name, value in inputs.items()}
            loss = self._loss(placed, placed.pop("labels")) * (weight / whole)
            loss.backward()
            total += float(loss.detach())
        if group.size > 1:
            total = self._add_up(total, sum(weights))
        refuse_no_number("loss", total, number, self._recipe.learning_rate)
        grads = [parameter.grad for parameter in self._trained if parameter.grad is not None]
        norm = float(get_total_norm(grads))
        refuse_no_number("norm of the gradient", norm, number, self._recipe.learning_rate)
        if norm > _LONGEST_GRADIENT:
            torch._foreach_mul_(grads, _LONGEST_GRADIENT / (norm + 1e-6))
        recipe = self._recipe
        set_rates(
            self.optimizer,
            rate_factor(number, self._steps, schedule=recipe.schedule, warmup_ratio=recipe.warmup_ratio),
        )
        self.optimizer.step()
        self.optimizer.zero_grad(set_to_none=True)
        return total

    def _parts(self, batch: Sequence[int]) -> list[list[int]]:
        return list(within_tokens(batch[self._group.rank :: self._group.size], self._lengths, TOKENS_AT_ONCE))

    def _collate(self, rows: Sequence[int]) -> dict[str, Tensor]:
        return self._model.objective.collate([self._train.row(index) for index in rows])

    def _loss(self, inputs: dict[str, Tensor], labels: Tensor) -> Tensor:
        """The mean over the part, soft labels mixed in where there is a teacher."""
        objective = self._model.objective
        with torch.autocast(self._device.type, torch.bfloat16, enabled=self._bf16):
            output = self._model(**inputs)[objective.output]
        output = output.float()
        loss = objective.loss(output, labels, self._settings)
        if self._teacher is None:
            return loss
        if objective.soft_loss is None:
            raise TrainingError("This kind of task cannot learn from a teacher. Remove [prune] from the task file.")
        with torch.no_grad(), torch.autocast(self._device.type, torch.bfloat16, enabled=self._bf16):
            taught = self._teacher.model(**inputs)[objective.output]
        soft = objective.soft_loss(output, taught.float(), labels)
        return (1 - self._teacher.weight) * loss + self._teacher.weight * soft

    def _add_up(self, total: float, weight: float) -> float:
        """All processes' gradients and losses, divided by all their weights."""
        total, weight = self._group.add_gradients(self._trained, (total, weight))
        weight = weight or 1.0  # nothing in the batch had anything to learn from
        torch._foreach_mul_([parameter.grad for parameter in self._trained if parameter.grad is not None], 1 / weight)
        return total / weight


def seed_of(seed: int, step: int, rank: int) -> int:
    """What decides all that is random in a step, so that it can be taken again by a process that goes on."""
    return int(np.random.SeedSequence((seed, step, rank)).generate_state(1, np.uint32)[0])


def refuse_no_number(what: str, found: float, number: int, rate: float, section: str = "train") -> None:
    """Raises TrainingError when what was found in step `number`, from 0, is no finite number.

    `rate` is the `learning_rate` of that section of the task file.
    """
    if not math.isfinite(found):
        raise TrainingError(
            f"{'Training' if section == 'train' else 'Adaptation'} stopped at step {number + 1}: the {what} is "
            f"{found}, expected a finite number. Lower `learning_rate` in [{section}] (it is {rate:g}), or use another "
            "base model if this happens at step 1."
        )
