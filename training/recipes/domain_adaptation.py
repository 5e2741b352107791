"""Going on with pre-training on a domain's own text: masked language modelling before fine-tuning.

Gururangan et al. 2020, "Don't stop pretraining", arXiv 2004.10964; tokens are masked as by Devlin et al. 2018, arXiv
1810.04805, section 3.1: of those chosen 80 % become the mask, 10 % another token, 10 % stay.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from tokenizers import Tokenizer
from torch import Tensor, nn
from torch.nn import functional
from transformers import AutoModelForMaskedLM, PreTrainedModel
from transformers.utils import logging as transformers_logging

from contracts.errors import BaseModelError, TrainingError
from contracts.task import TaskSpec
from training.artefact.onnx_artefact import tokenize
from training.learning.base_model import BaseModel
from training.learning.batches import grouped_by_length
from training.learning.classifier import freeze_layers
from training.learning.device import reproducible, training_device
from training.learning.network import Network
from training.learning.objective import IGNORED, pad, pad_batch
from training.learning.precision import this_cpu, trains_in_bf16
from training.learning.schedule import rate_factor, set_rates
from training.progress import Stage

_HELD_OUT_SHARE, _MOST_HELD_OUT = 0.1, 200
_WARMUP = 0.1
_WEIGHT_DECAY = 0.01
_LONGEST_GRADIENT = 1.0
_MASKS = ("[MASK]", "<mask>")


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
    model: Network, base: BaseModel, texts: Sequence[str], tokenizer: Tokenizer, spec: TaskSpec, stage: Stage
) -> Adaptation:
    """Train the network's encoder, in place, to guess masked tokens; what [model] freezes stays frozen.

    Texts without a known word are passed over. Raises TrainingError for a tokenizer without a mask token, for fewer
    than two texts that are left, and for a loss that is no finite number.
    """
    if spec.adapt is None:
        raise TrainingError("The task has no [adapt]. Add it, or leave the base model as it is.")
    recipe = spec.adapt
    masks = _Masks(base, tokenizer, recipe.mask_share, spec.train.seed)
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
    network = _masked_model(base, spec.train.seed)
    # From here on the two share their encoder: what one learns, the other knows.
    model.encoder = _encoder_of(network, base)
    freeze_layers(model, embeddings=spec.model.freeze_embeddings, layers=spec.model.freeze_layers)
    device = training_device()
    nn.Module.to(network, device)
    bf16 = trains_in_bf16(spec.train, on_cpu=device.type == "cpu", cpu_info=this_cpu())
    loss_before = _loss(network, held_out, masks, device)
    lengths = [len(row) for row in learned]
    epochs = [
        grouped_by_length(lengths, recipe.batch_size, seed=spec.train.seed, epoch=number)
        for number in range(recipe.epochs)
    ]
    steps = sum(len(batches) for batches in epochs)
    trained = [parameter for parameter in network.parameters() if parameter.requires_grad]
    optimizer = torch.optim.AdamW(
        [{"params": trained, "initial_lr": recipe.learning_rate}],
        lr=recipe.learning_rate,
        weight_decay=_WEIGHT_DECAY,
    )
    torch.manual_seed(spec.train.seed)
    stage.expect(steps)
    step = 0
    for number, batches in enumerate(epochs, start=1):
        network.train()
        for batch in batches:
            inputs, labels = masks.batch([learned[row] for row in batch], (number, step))
            with torch.autocast(device.type, torch.bfloat16, enabled=bf16):
                logits = network(**{name: value.to(device) for name, value in inputs.items()}).logits
            loss = functional.cross_entropy(logits.float().flatten(0, 1), labels.to(device).flatten())
            if not math.isfinite(float(loss.detach())):
                raise TrainingError(
                    f"Adaptation stopped at step {step + 1}: the loss is {float(loss.detach())}, expected a finite "
                    f"number. Lower `learning_rate` in [adapt] (it is {recipe.learning_rate:g})."
                )
            torch.autograd.backward(loss)
            nn.utils.clip_grad_norm_(trained, _LONGEST_GRADIENT)
            set_rates(optimizer, rate_factor(step, steps, schedule="linear", warmup_ratio=_WARMUP))
            optimizer.step()
            optimizer.zero_grad(set_to_none=True)
            step += 1
            stage.advance()
        told = _loss(network, held_out, masks, device)
        stage.line(f"epoch {number}/{recipe.epochs}: loss on held-out texts {told:.3f} (before {loss_before:.3f})")
    nn.Module.to(network, "cpu")
    return Adaptation(
        texts=len(texts),
        texts_sha256=hashlib.sha256("\n".join(texts).encode("utf-8", "surrogatepass")).hexdigest(),
        tokens=sum(lengths),
        loss_before=loss_before,
        loss_after=told,
    )


class _Masks:
    """Which tokens are to be guessed: decided by seed and step alone."""

    def __init__(self, base: BaseModel, tokenizer: Tokenizer, share: float, seed: int) -> None:
        found = next((number for name in _MASKS if (number := tokenizer.token_to_id(name)) is not None), None)
        if found is None:
            raise TrainingError(
                f"Base model {base.name}: its tokenizer has no mask token ({' or '.join(_MASKS)}), so it cannot be "
                "adapted. Remove [adapt], or choose another base model."
            )
        self._mask = int(found)
        self._words = int(tokenizer.get_vocab_size(with_added_tokens=False))
        added = tokenizer.get_added_tokens_decoder()
        self._special = np.array([number for number, token in added.items() if token.special], dtype=np.int64)
        self._share = share
        self._seed = seed

    def has_any(self, row: Sequence[int]) -> bool:
        """Whether a text has a token that can be guessed."""
        return not np.isin(row, self._special).all()

    def batch(self, rows: Sequence[Sequence[int]], step: Sequence[int]) -> tuple[dict[str, Tensor], Tensor]:
        """The masked inputs, and the true ids where a token is to be guessed (at least one), -100 elsewhere."""
        rng = np.random.default_rng((self._seed, *step))
        ids = pad(rows).numpy()
        real = pad([[1] * len(row) for row in rows]).numpy().astype(bool) & ~np.isin(ids, self._special)
        chosen = real & (rng.random(ids.shape) < self._share)
        if not chosen.any() and real.any():
            chosen.flat[rng.choice(np.flatnonzero(real))] = True
        labels = np.where(chosen, ids, IGNORED)
        fate = rng.random(ids.shape)
        other = rng.integers(0, self._words, ids.shape)
        masked = np.where(chosen & (fate < 0.8), self._mask, np.where(chosen & (fate >= 0.9), other, ids))
        inputs = {**pad_batch(rows), "input_ids": torch.from_numpy(masked)}
        return inputs, torch.from_numpy(labels)


def _masked_model(base: BaseModel, seed: int) -> PreTrainedModel:
    """The base model with its own head for masked tokens, or a new one on its embeddings where it has none."""
    verbosity = transformers_logging.get_verbosity()
    transformers_logging.set_verbosity_error()
    torch.manual_seed(seed)
    try:
        network: PreTrainedModel = AutoModelForMaskedLM.from_pretrained(
            base.folder,
            config=base.config,
            use_safetensors=True,
            trust_remote_code=False,
            local_files_only=True,
            dtype=torch.float32,
        )
    except Exception as error:
        # safetensors has an exception class of its own; an architecture without such a head raises ValueError.
        raise BaseModelError(
            f"Base model {base.name}: it cannot be adapted ({error}). Remove [adapt], or choose another base model."
        ) from error
    finally:
        transformers_logging.set_verbosity(verbosity)
    return network


def _encoder_of(network: PreTrainedModel, base: BaseModel) -> PreTrainedModel:
    encoder = network.base_model
    if not isinstance(encoder, PreTrainedModel):
        raise BaseModelError(
            f"Base model {base.name}: expected a pre-trained encoder under its head, found {type(encoder).__name__}. "
            "Remove [adapt], or choose another base model."
        )
    return encoder


def _loss(network: PreTrainedModel, rows: Sequence[Sequence[int]], masks: _Masks, device: torch.device) -> float:
    """Mean over the masked tokens of held-out rows, masked the same way every time."""
    network.eval()
    total, count = 0.0, 0
    with torch.inference_mode():
        for start in range(0, len(rows), 32):
            inputs, labels = masks.batch(rows[start : start + 32], (0, start))
            logits = network(**{name: value.to(device) for name, value in inputs.items()}).logits
            found = functional.cross_entropy(logits.flatten(0, 1), labels.to(device).flatten(), reduction="sum")
            total += float(found)
            count += int((labels != IGNORED).sum())
    return total / max(1, count)
