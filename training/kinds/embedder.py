"""The network of similarity: the encoder alone."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

from torch import Tensor

from training.learning.network import BATCH_AXIS, Network, mean_state


class Embedder(Network):
    """The mean over unmasked tokens is all that there is; whoever serves it divides it by its length."""

    outputs: ClassVar[Mapping[str, Mapping[int, str]]] = {"embedding": BATCH_AXIS}

    def forward(
        self, input_ids: Tensor, attention_mask: Tensor, token_type_ids: Tensor | None = None
    ) -> dict[str, Tensor]:
        """[batch, tokens] -> `embedding` [batch, hidden]."""
        return {"embedding": mean_state(self.states(input_ids, attention_mask, token_type_ids), attention_mask)}
