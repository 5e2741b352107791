"""How much of the network is left out at random while it learns, and doing that fast on a processor."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import Tensor, nn

from training.learning.network import Network

# Attention that is computed in one piece takes its share from an attribute, by one of these names.
_ATTRIBUTES = ("dropout_prob", "attention_dropout", "dropout")
_LANES = 4  # 16-bit numbers in one draw of 64 bits
_VALUES = 2**16


def set_dropout(model: Network, share: float) -> None:
    """Leave out this share, 0..1, in every layer, in attention and before the head."""
    for module in model.modules():
        if isinstance(module, nn.Dropout):
            module.p = share
        for name in _ATTRIBUTES:
            if isinstance(getattr(module, name, None), float):
                setattr(module, name, share)


class LaneDropout(nn.Module):
    """Dropout by 16 random bits a value, four values a draw: a fifth of the time that torch takes on a processor.

    The share is right to 1 / 65536. As torch's own it is decided by torch's seed alone.
    """

    def __init__(self, share: float) -> None:
        super().__init__()
        self._kept_from = round(share * _VALUES) - _VALUES // 2
        self._scale = _VALUES / (_VALUES - round(share * _VALUES))

    def forward(self, values: Tensor) -> Tensor:
        """Each value times 0, or times 1 / (1 - share)."""
        if not self.training:
            return values
        count = values.numel()
        drawn = torch.empty(-(-count // _LANES), dtype=torch.int64).random_(-(2**63), None).view(torch.int16)
        kept = (drawn[:count] >= self._kept_from).view(values.shape)
        return values * kept.to(values.dtype).mul_(self._scale)


@contextmanager
def lanes(model: nn.Module, *, on_cpu: bool) -> Iterator[None]:
    """On a processor, dropout by `LaneDropout` while the block runs; the network is as it was afterwards."""
    replaced = [
        (parent, name, module)
        for parent in model.modules()
        for name, module in parent.named_children()
        if on_cpu and type(module) is nn.Dropout and 0 < module.p < 1
    ]
    for parent, name, module in replaced:
        parent.add_module(name, LaneDropout(module.p).train(module.training))
    try:
        yield
    finally:
        for parent, name, module in replaced:
            parent.add_module(name, module)
            module.train(parent.training)
