"""How fast is learned at which step, and by which part of the network."""

from __future__ import annotations

import math
from collections.abc import Iterable

import torch
from torch import nn

from contracts.task import TrainSpec
from training.learning.classifier import encoder_layers
from training.learning.network import Network


def rate_factor(step: int, total: int, *, schedule: str, warmup_ratio: float) -> float:
    """What the learning rate is multiplied by in step `step`, from 0, of `total`: 0..1.

    It rises linearly during the warm-up, then stays (`constant`) or falls to 0, in a line or in half a cosine.
    """
    warmup = math.ceil(total * warmup_ratio)
    if step < warmup:
        return step / warmup
    done = (step - warmup) / max(1, total - warmup)
    match schedule:
        case "constant":
            return 1.0
        case "cosine":
            return 0.5 * (1.0 + math.cos(math.pi * done))
        case _:
            return 1.0 - done


def make_optimizer(model: Network, recipe: TrainSpec) -> torch.optim.AdamW:
    """AdamW over what is trained. Biases and norms are not decayed; lower layers learn slower where that is asked.

    With `layer_decay` d the head learns at the full rate, the uppermost of n layers at d times that, the lowest at
    d^n, the embeddings at d^(n + 1) (Howard and Ruder 2018, arXiv 1801.06146, section 3.2).
    """
    undecayed = _biases_and_norms(model)
    groups: dict[tuple[float, float], list[nn.Parameter]] = {}
    depths = _depths(model)
    for name, parameter in model.named_parameters():
        if parameter.requires_grad:
            rate = recipe.learning_rate * recipe.layer_decay ** depths.get(name, 0)
            decay = 0.0 if name in undecayed else recipe.weight_decay
            groups.setdefault((rate, decay), []).append(parameter)
    options = [
        {"params": members, "lr": rate, "initial_lr": rate, "weight_decay": decay}
        for (rate, decay), members in groups.items()
    ]
    return torch.optim.AdamW(options, lr=recipe.learning_rate, fused=True)


def set_rates(optimizer: torch.optim.Optimizer, factor: float) -> None:
    """Each group's own rate times the schedule's factor."""
    for group in optimizer.param_groups:
        group["lr"] = group["initial_lr"] * factor


def _biases_and_norms(model: nn.Module) -> set[str]:
    found = {name for name, _ in model.named_parameters() if name.endswith("bias")}
    for name, module in model.named_modules():
        if "norm" in type(module).__name__.lower():
            found |= {f"{name}.{own}" for own, _ in module.named_parameters(recurse=False)}
    return found


def _depths(model: Network) -> dict[str, int]:
    """How many layers below the head each parameter lies, from 0."""
    names = {parameter: name for name, parameter in model.named_parameters()}
    layers = list(encoder_layers(model))

    def below(parameters: Iterable[nn.Parameter], depth: int) -> dict[str, int]:
        return {names[parameter]: depth for parameter in parameters}

    found = below(model.encoder.parameters(), 1)
    for number, layer in enumerate(layers):
        found |= below(layer.parameters(), len(layers) - number)
    embeddings = getattr(model.encoder, "embeddings", None)
    if isinstance(embeddings, nn.Module):
        found |= below(embeddings.parameters(), len(layers) + 1)
    return found
