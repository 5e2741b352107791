"""Going on with pre-training on a domain's own text: masked language modelling before fine-tuning.

Gururangan et al. 2020, "Don't stop pretraining", arXiv 2004.10964.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from tokenizers import Tokenizer
from torch import Tensor, nn
from torch.nn import functional
from transformers import PreTrainedModel

from contracts.errors import TrainingError
from contracts.recipes import AdaptSpec
from contracts.task import TaskSpec, TrainSpec
from training.artefact.onnx_artefact import tokenize
from training.learning.base_model import BaseModel
from training.learning.batches import grouped_by_length
from training.learning.checkpoint import fingerprint, put_weights
from training.learning.classifier import freeze_layers
from training.learning.device import reproducible, training_device
from training.learning.group import current_group
from training.learning.lesson import Encoded, Epoch
from training.learning.network import Network
from training.learning.objective import IGNORED
from training.learning.precision import this_cpu, trains_in_bf16
from training.learning.resumption import Resumption
from training.learning.schedule import rate_factor, set_rates
from training.learning.step import refuse_no_number, seed_of
from training.progress import Stage
from training.recipes.masked_network import encoder_of, masked_model
from training.recipes.masking import Masks

_HELD_OUT_SHARE, _MOST_HELD_OUT = 0.1, 200
_WARMUP = 0.1
_WEIGHT_DECAY = 0.01
_LONGEST_GRADIENT = 1.0
_EVALUATION_BATCH = 32


@dataclass(frozen=True)
class Adaptation:
    """What the encoder was adapted to. Losses are of held-out texts' masked tokens, in nats, before and after."""

    texts: int
    texts_sha256: str
    tokens: int
    loss_before: float
    loss_after: float


@reproducible()
def adapt(
    model: Network,
    base: BaseModel,
    texts: Sequence[str],
    tokenizer: Tokenizer,
    spec: TaskSpec,
    *,
    folder: Path,
    stage: Stage,
) -> Adaptation:
    """Train the network's encoder, in place, to guess masked tokens; what [model] freezes stays frozen.

    Texts without a known word are passed over. A checkpoint in `folder` that an interrupted run of this very adaptation
    left behind is gone on from, to the same result. Raises TrainingError for a tokenizer without a mask token, for
    fewer than two texts that are left, for a loss that is no finite number, and when a checkpoint cannot be written.
    """
    if spec.adapt is None:
        raise TrainingError("The task has no [adapt]. Add it, or leave the base model as it is.")
    masks = Masks(base, tokenizer, spec.adapt.mask_share, spec.train.seed)
    # Of a text of nothing but unknown tokens there is nothing to guess.
    ids = [row for row in tokenize(tokenizer, texts, spec.model.max_tokens).ids if masks.has_any(row)]
    if len(ids) < 2:
        raise TrainingError(
            f"Adaptation needs at least two texts that the base model knows words of, found {len(ids)}. Name another "
            "`source` in [adapt], or remove it."
        )
    held = min(_MOST_HELD_OUT, math.ceil(len(ids) * _HELD_OUT_SHARE))
    order = np.random.default_rng(spec.train.seed).permutation(len(ids)).tolist()
    held_out, learned = [ids[row] for row in order[:held]], [ids[row] for row in order[held:]]
    network = masked_model(base, spec.train.seed)
    # From here on the two share their encoder: what one learns, the other knows.
    model.encoder = encoder_of(network, base)
    freeze_layers(model, embeddings=spec.model.freeze_embeddings, layers=spec.model.freeze_layers)
    training = _Training(network, learned, held_out, masks, spec.adapt, spec.train, folder=folder, stage=stage)
    loss_before = training.held_out_loss()
    training.resume()
    while not training.finished:
        training.run_epoch(loss_before)
    nn.Module.to(network, "cpu")
    put_weights(network, training.best)
    return Adaptation(
        texts=len(texts),
        texts_sha256=hashlib.sha256("\n".join(texts).encode("utf-8", "surrogatepass")).hexdigest(),
        tokens=sum(map(len, learned)),
        loss_before=loss_before,
        loss_after=training.epochs[-1].validation_loss,
    )


class _Training:
    """One adaptation under way; of texts it knows token ids."""

    def __init__(
        self,
        network: PreTrainedModel,
        learned: Sequence[Sequence[int]],
        held_out: Sequence[Sequence[int]],
        masks: Masks,
        recipe: AdaptSpec,
        train: TrainSpec,
        *,
        folder: Path,
        stage: Stage,
    ) -> None:
        self._network = network
        self._learned = learned
        self._held_out = held_out
        self._masks = masks
        self._recipe = recipe
        self._seed = train.seed
        self._stage = stage
        self._group = current_group()
        mark = fingerprint(network, Encoded(learned, learned), Encoded(held_out, held_out), recipe, train)
        self._device = training_device()
        nn.Module.to(network, self._device)
        self._bf16 = trains_in_bf16(train, on_cpu=self._device.type == "cpu", cpu_info=this_cpu())
        self._steps_an_epoch = len(self._batches(0))
        self._steps = recipe.epochs * self._steps_an_epoch
        self._trained = [parameter for parameter in network.parameters() if parameter.requires_grad]
        self._optimizer = torch.optim.AdamW(
            [{"params": self._trained, "initial_lr": recipe.learning_rate}],
            lr=recipe.learning_rate,
            weight_decay=_WEIGHT_DECAY,
        )
        self._kept = Resumption(network, self._optimizer, mark=mark, folder=folder, group=self._group)
        stage.expect(self._steps)

    @property
    def epochs(self) -> list[Epoch]:
        """Those that are over; their score is the geometric mean of the right tokens' probabilities."""
        return self._kept.position.epochs

    @property
    def best(self) -> dict[str, Tensor]:
        """The weights of the last epoch, once all are over."""
        return self._kept.best

    @property
    def finished(self) -> bool:
        """Whether all epochs are done."""
        return len(self.epochs) >= self._recipe.epochs

    def resume(self) -> None:
        """Go on from the checkpoint, if there is one of this adaptation."""
        self._kept.resume(self._stage, self._steps_an_epoch)

    def run_epoch(self, loss_before: float) -> None:
        """The rest of the epoch under way, and what held-out texts say after it."""
        number = len(self.epochs) + 1
        batches = self._batches(number - 1)
        losses = self._kept.position.losses
        self._network.train()
        for at in range(len(losses), self._steps_an_epoch):
            losses.append(self._step(number, (number - 1) * self._steps_an_epoch + at, batches[at]))
            self._stage.advance()
            self._kept.save_when_due()
        loss = self.held_out_loss()
        self.epochs.append(Epoch(number, sum(losses) / len(losses), loss, math.exp(-loss)))
        self._kept.position.losses = []
        self._stage.line(
            f"epoch {number}/{self._recipe.epochs}: loss on held-out texts {loss:.3f} (before {loss_before:.3f})"
        )
        if self.finished:
            self._kept.keep_as_best()
        self._kept.save(over=self.finished)

    def held_out_loss(self) -> float:
        """Mean over the masked tokens of held-out rows, masked the same way every time, in nats."""
        rows, group = self._held_out, self._group
        self._network.eval()
        found = []
        with torch.inference_mode():
            for start in range(group.rank * _EVALUATION_BATCH, len(rows), group.size * _EVALUATION_BATCH):
                inputs, labels = self._masks.batch(rows[start : start + _EVALUATION_BATCH], (0, start))
                loss = self._loss(self._logits(inputs), labels)
                found.append((start, float(loss), int((labels != IGNORED).sum())))
        parts = sorted(part for share in group.gather(found) for part in share)
        return sum(loss for _, loss, _ in parts) / max(1, sum(count for _, _, count in parts))

    def _step(self, number: int, step: int, batch: Sequence[int]) -> float:
        """Take a step, from 0, of epoch `number`; returns its mean loss.

        What is random in it is decided by seed, step and rank alone. Each process runs its share of the batch, whose
        tokens are masked as one process would mask them.
        """
        group, rate = self._group, self._recipe.learning_rate
        torch.manual_seed(seed_of(self._seed, step, group.rank))
        whole, labels = self._masks.batch([self._learned[row] for row in batch], (number, step))
        inputs = {name: value[group.rank :: group.size] for name, value in whole.items()}
        labels = labels[group.rank :: group.size]
        total, count = 0.0, int((labels != IGNORED).sum())
        if count:
            with torch.autocast(self._device.type, torch.bfloat16, enabled=self._bf16):
                logits = self._logits(inputs)
            loss = self._loss(logits.float(), labels)
            torch.autograd.backward(loss)
            total = float(loss.detach())
        total, weight = group.add_gradients(self._trained, (total, count))
        refuse_no_number("loss", total / weight, step, rate, "adapt")
        grads = [parameter.grad for parameter in self._trained if parameter.grad is not None]
        torch._foreach_mul_(grads, 1 / weight)
        norm = float(nn.utils.clip_grad_norm_(self._trained, _LONGEST_GRADIENT))
        refuse_no_number("norm of the gradient", norm, step, rate, "adapt")
        set_rates(self._optimizer, rate_factor(step, self._steps, schedule="linear", warmup_ratio=_WARMUP))
        self._optimizer.step()
        self._optimizer.zero_grad(set_to_none=True)
        return total / weight

    def _logits(self, inputs: dict[str, Tensor]) -> Tensor:
        found: Tensor = self._network(**{name: value.to(self._device) for name, value in inputs.items()}).logits
        return found

    def _loss(self, logits: Tensor, labels: Tensor) -> Tensor:
        """The sum over the tokens that are to be guessed."""
        truth = labels.to(self._device).flatten()
        return functional.cross_entropy(logits.flatten(0, 1), truth, ignore_index=IGNORED, reduction="sum")

    def _batches(self, epoch: int) -> list[list[int]]:
        lengths = [len(row) for row in self._learned]
        return grouped_by_length(lengths, self._recipe.batch_size, seed=self._seed, epoch=epoch)
