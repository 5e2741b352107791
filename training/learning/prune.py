"""Structural pruning: whole layers and feed-forward columns go, so the smaller model is an ordinary, faster one.

Layers: greedily the one without which validation loss is lowest. Columns: first-order Taylor importance, the mean of
|activation x gradient| (Molchanov et al. 2019, arXiv 1906.10771; for feed-forward columns as in Michel et al. 2019).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from contracts.errors import TrainingError
from contracts.task import PruneSpec
from training.learning.base_model import BaseModel
from training.learning.classifier import encoder_layers, layer_count
from training.learning.finetune import Encoded
from training.learning.network import Network
from training.learning.objective import LossSettings
from training.progress import Stage

PRUNABLE = ("bert", "camembert", "distilbert", "electra", "roberta", "xlm-roberta")
_MULTIPLE = 16  # int8 kernels work on blocks of this many columns
_PROBE_ROWS = 512
_BATCH = 32


@dataclass(frozen=True)
class Pruning:
    """What was removed."""

    dropped_layers: tuple[int, ...]  # as numbered in the unpruned model, from 0, in the order of removal
    validation_losses: tuple[float, ...]  # after each removal, before recovery
    ffn_columns_before: int
    ffn_columns_after: int


def check_prunable(base: BaseModel, spec: PruneSpec) -> None:
    """Raises TrainingError, before any training, when the wanted pruning cannot be done."""
    if not spec.enabled:
        return
    if base.architecture not in PRUNABLE:
        raise TrainingError(
            f"[prune] asks for pruning; it is done for {', '.join(PRUNABLE)}, and base model {base.name} is of "
            f"architecture {base.architecture!r}. Remove [prune], or choose another base model."
        )
    layers = layer_count(base)
    if spec.drop_layers >= layers:
        raise TrainingError(
            f"[prune] drop_layers is {spec.drop_layers}, and base model {base.name} has {layers} layers, of which at "
            f"least one must stay. Set it to {layers - 1} or less."
        )


def prune(model: Network, spec: PruneSpec, train: Encoded, validation: Encoded, stage: Stage) -> Pruning:
    """Remove layers, then columns, in place; `model.config` says the new sizes. The model is on the CPU."""
    model.eval()
    layers = encoder_layers(model)
    stage.expect(sum(len(layers) - gone for gone in range(spec.drop_layers)) + (1 if spec.ffn_share else 0))
    dropped, losses = _drop_layers(model, spec.drop_layers, _probe(validation), stage)
    before = _feed_forward(layers[0]).widen.out_features
    after = _kept_columns(before, spec.ffn_share)
    if after < before:
        _narrow(model, after, _probe(train))
        stage.advance()
    stage.line(f"dropped {len(dropped)} of {len(dropped) + len(layers)} layers; feed-forward width {before} -> {after}")
    return Pruning(tuple(dropped), tuple(losses), before, after)


@dataclass(frozen=True)
class _FeedForward:
    widen: nn.Linear
    narrow: nn.Linear


def _drop_layers(model: Network, count: int, probe: Encoded, stage: Stage) -> tuple[list[int], list[float]]:
    layers = encoder_layers(model)
    numbers = list(range(len(layers)))
    dropped: list[int] = []
    losses: list[float] = []
    for _ in range(count):
        without = []
        for index in range(len(layers)):
            with _skipping(layers, index):
                without.append(_loss(model, probe))
            stage.advance()
        least = min(range(len(without)), key=without.__getitem__)
        del layers[least]
        dropped.append(numbers.pop(least))
        losses.append(without[least])
        model.config.num_hidden_layers = len(layers)
    return dropped, losses


@contextmanager
def _skipping(layers: nn.ModuleList, index: int) -> Iterator[None]:
    """The stack without one layer, which is put back afterwards."""
    layer = layers[index]
    del layers[index]
    try:
        yield
    finally:
        layers.insert(index, layer)


def _narrow(model: Network, columns: int, probe: Encoded) -> None:
    """Keep each layer's most important columns, in their order."""
    blocks = [_feed_forward(layer) for layer in encoder_layers(model)]
    importance = _column_importance(model, blocks, probe)
    for block, scores in zip(blocks, importance, strict=True):
        kept = scores.topk(columns).indices.sort().values
        _shrink(block, kept)
    attribute = "hidden_dim" if str(model.config.model_type) == "distilbert" else "intermediate_size"
    setattr(model.config, attribute, columns)


def _column_importance(model: Network, blocks: Sequence[_FeedForward], probe: Encoded) -> list[Tensor]:
    """Per block, [columns]: the mean over texts of |sum over tokens of activation x its gradient of the loss|."""
    totals = [torch.zeros(block.widen.out_features) for block in blocks]
    activations: dict[int, Tensor] = {}

    def watch(number: int) -> torch.utils.hooks.RemovableHandle:
        def keep(_: nn.Module, inputs: tuple[Tensor, ...]) -> None:
            inputs[0].retain_grad()
            activations[number] = inputs[0]

        return blocks[number].narrow.register_forward_pre_hook(keep)

    frozen = [parameter for parameter in model.parameters() if not parameter.requires_grad]
    model.requires_grad_(True)
    handles = [watch(number) for number in range(len(blocks))]
    try:
        for batch, labels in _batches(model, probe):
            loss = model.objective.loss(model(**batch)[model.objective.output], labels, LossSettings())
            (loss * len(labels)).backward()
            for number, total in enumerate(totals):
                gradient = activations[number].grad
                if gradient is not None:
                    total += (activations[number].detach() * gradient).sum(dim=1).abs().sum(dim=0)
            model.zero_grad(set_to_none=True)
    finally:
        for handle in handles:
            handle.remove()
        for parameter in frozen:
            parameter.requires_grad_(False)
    return [total / len(probe) for total in totals]


def _shrink(block: _FeedForward, kept: Tensor) -> None:
    with torch.no_grad():
        block.widen.weight = nn.Parameter(block.widen.weight[kept].clone(), block.widen.weight.requires_grad)
        block.widen.bias = nn.Parameter(block.widen.bias[kept].clone(), block.widen.bias.requires_grad)
        block.narrow.weight = nn.Parameter(block.narrow.weight[:, kept].clone(), block.narrow.weight.requires_grad)
    block.widen.out_features = block.narrow.in_features = len(kept)


def _feed_forward(layer: nn.Module) -> _FeedForward:
    parts = dict(layer.named_modules())
    widen = parts.get("intermediate.dense", parts.get("ffn.lin1"))
    narrow = parts.get("output.dense", parts.get("ffn.lin2"))
    if not isinstance(widen, nn.Linear) or not isinstance(narrow, nn.Linear):
        raise TrainingError(f"Expected a feed-forward part in {type(layer).__name__}, found none. Remove [prune].")
    return _FeedForward(widen, narrow)


def _kept_columns(before: int, share: float) -> int:
    """What is left, rounded up to whole blocks of 16 so that int8 kernels stay full."""
    wanted = round(before * (1 - share))
    return min(before, max(_MULTIPLE, -(-wanted // _MULTIPLE) * _MULTIPLE))


def _probe(encoded: Encoded) -> Encoded:
    """The first rows, which are as good as shuffled."""
    return encoded.first(_PROBE_ROWS)


def _loss(model: Network, probe: Encoded) -> float:
    total = 0.0
    with torch.inference_mode():
        for batch, labels in _batches(model, probe):
            loss = model.objective.loss(model(**batch)[model.objective.output], labels, LossSettings())
            total += float(loss) * len(labels)
    return total / len(probe)


def _batches(model: Network, encoded: Encoded) -> Iterator[tuple[dict[str, Tensor], Tensor]]:
    order = sorted(range(len(encoded)), key=lambda index: len(encoded.ids[index]))
    for start in range(0, len(order), _BATCH):
        inputs = model.objective.collate([encoded.row(index) for index in order[start : start + _BATCH]])
        labels = inputs.pop("labels")
        yield inputs, labels
