"""How much of the network is left out at random while it learns."""

from __future__ import annotations

from torch import nn

from training.learning.network import Network

# Attention that is computed in one piece takes its share from an attribute, by one of these names.
_ATTRIBUTES = ("dropout_prob", "attention_dropout", "dropout")


def set_dropout(model: Network, share: float) -> None:
    """Leave out this share, 0..1, in every layer, in attention and before the head."""
    for module in model.modules():
        if isinstance(module, nn.Dropout):
            module.p = share
        for name in _ATTRIBUTES:
            if isinstance(getattr(module, name, None), float):
                setattr(module, name, share)
