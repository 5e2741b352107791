"""The network of similarity: the encoder alone."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import ClassVar

import numpy as np
import torch
from torch import Tensor

from contracts.reference import Floats
from training.learning.network import BATCH_AXIS, Network, mean_state
from training.learning.objective import pad_batch


class Embedder(Network):
    """The mean over unmasked tokens is all that there is; whoever serves it divides it by its length."""

    outputs: ClassVar[Mapping[str, Mapping[int, str]]] = {"embedding": BATCH_AXIS}

    def forward(
        self, input_ids: Tensor, attention_mask: Tensor, token_type_ids: Tensor | None = None
    ) -> dict[str, Tensor]:
        """[batch, tokens] -> `embedding` [batch, hidden]."""
        return {"embedding": mean_state(self.states(input_ids, attention_mask, token_type_ids), attention_mask)}


def torch_embeddings(model: Network, rows: Sequence[Sequence[int]], *, batch: int = 64) -> Floats:
    """[n, hidden] embeddings by the network itself, in fp32, in batches of similar length."""
    order = np.argsort([len(ids) for ids in rows], kind="stable")
    model.eval()
    with torch.inference_mode():
        found = [
            model(**pad_batch([rows[index] for index in order[start : start + batch]]))["embedding"].numpy()
            for start in range(0, len(order), batch)
        ]
    back: Floats = np.concatenate(found)[np.argsort(order, kind="stable")]
    return back
