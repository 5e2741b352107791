"""Low-rank adaptation with PEFT: small additions are trained, then merged, so an export sees an ordinary network."""

from __future__ import annotations

import re
from dataclasses import dataclass

import torch
from peft import LoraConfig, PeftModel, get_peft_model
from torch import nn

from contracts.errors import TrainingError
from contracts.recipes import LoraSpec
from training.learning.network import Network

# As the architectures that can be exported call what makes queries, keys and values.
_ATTENTION = re.compile(r"(query|key|value|q|k|v)(_proj|_lin)?|Wqkv")


@dataclass(frozen=True)
class Adapted:
    """An encoder with additions, and which of its own parameters were to be trained before it had them."""

    encoder: PeftModel
    trained: frozenset[str]


def add_adapters(model: Network, spec: LoraSpec, seed: int) -> Adapted:
    """Freeze the encoder and put additions beside its linear layers, in place; the head stays trained as it is.

    Layers that are frozen already get none; the seed decides where the others begin. Raises TrainingError where that
    leaves no layer, as for an architecture whose attention has none of the names that are looked for.
    """
    linear = [
        name
        for name, module in model.encoder.named_modules()
        if isinstance(module, nn.Linear) and module.weight.requires_grad
    ]
    inside = [name for name in linear if "layer" in name]
    chosen = (
        inside if spec.layers == "all" else [name for name in inside if _ATTENTION.fullmatch(name.rpartition(".")[2])]
    )
    if not chosen:
        raise TrainingError(
            f"[train.lora] layers is {spec.layers!r}, and none were found in architecture {model.config.model_type} "
            'that are not frozen. Set it to "all", lower `freeze_layers` in [model], or remove [train.lora].'
        )
    config = LoraConfig(
        r=spec.rank, lora_alpha=spec.alpha, lora_dropout=spec.dropout, target_modules=chosen, init_lora_weights=True
    )
    torch.manual_seed(seed)
    trained = frozenset(name for name, value in model.encoder.named_parameters() if value.requires_grad)
    return Adapted(get_peft_model(model.encoder, config), trained)


def merge_adapters(model: Network, adapted: Adapted) -> None:
    """Add what was learned to the weights, and leave an encoder as it was before, but for their values."""
    model.encoder = adapted.encoder.merge_and_unload()
    for name, value in model.encoder.named_parameters():
        value.requires_grad_(name in adapted.trained)
