"""Networks that classify: a pre-trained encoder and one linear layer, over the whole text or over each token."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import ClassVar

import numpy as np
import torch
from torch import Tensor, nn
from transformers import PreTrainedModel

from contracts.errors import BaseModelError
from contracts.reference import Floats
from training.learning.base_model import BaseModel
from training.learning.network import BATCH_AXIS, TOKEN_AXES, Network, load_encoder, mean_state, new_layer
from training.learning.objective import ONE_LABEL, Objective, pad_batch


class TextClassifier(Network):
    """The mean over unmasked tokens is both what is classified and what the monitor watches."""

    def __init__(self, encoder: PreTrainedModel, labels: int, objective: Objective = ONE_LABEL) -> None:
        super().__init__(encoder, objective)
        self.head = new_layer(int(encoder.config.hidden_size), labels)

    def forward(
        self, input_ids: Tensor, attention_mask: Tensor, token_type_ids: Tensor | None = None
    ) -> dict[str, Tensor]:
        """[batch, tokens] -> `logits` [batch, labels] and `embedding` [batch, hidden]."""
        embedding = mean_state(self.states(input_ids, attention_mask, token_type_ids), attention_mask)
        return {"logits": self.head(self.dropout(embedding)), "embedding": embedding}


class TokenClassifier(Network):
    """Every token is classified by its own state; the mean is for the monitor alone."""

    outputs: ClassVar[Mapping[str, Mapping[int, str]]] = {"logits": TOKEN_AXES, "embedding": BATCH_AXIS}

    def __init__(self, encoder: PreTrainedModel, labels: int, objective: Objective) -> None:
        super().__init__(encoder, objective)
        self.head = new_layer(int(encoder.config.hidden_size), labels)

    def forward(
        self, input_ids: Tensor, attention_mask: Tensor, token_type_ids: Tensor | None = None
    ) -> dict[str, Tensor]:
        """[batch, tokens] -> `logits` [batch, tokens, labels] and `embedding` [batch, hidden]."""
        states = self.states(input_ids, attention_mask, token_type_ids)
        return {"logits": self.head(self.dropout(states)), "embedding": mean_state(states, attention_mask)}


def build_classifier(base: BaseModel, labels: int, seed: int, objective: Objective = ONE_LABEL) -> TextClassifier:
    """Load the encoder and put a new head on it; the same seed gives the same head. Raises BaseModelError."""
    encoder = load_encoder(base)
    torch.manual_seed(seed)
    return TextClassifier(encoder, labels, objective)


def build_token_classifier(base: BaseModel, labels: int, seed: int, objective: Objective) -> TokenClassifier:
    """As `build_classifier`, with a head for each token. With two outputs it is the network of question answering."""
    encoder = load_encoder(base)
    torch.manual_seed(seed)
    return TokenClassifier(encoder, labels, objective)


def freeze_layers(model: Network, *, embeddings: bool, layers: int) -> None:
    """Keep embeddings, and so many layers from the bottom, as they are; the optimizer never sees them."""
    if embeddings:
        model.encoder.embeddings.requires_grad_(False)
    for layer in list(encoder_layers(model))[:layers]:
        layer.requires_grad_(False)


def layer_count(base: BaseModel) -> int:
    """Encoder layers that can be frozen or dropped one by one."""
    return 0 if base.architecture == "albert" else int(base.config.num_hidden_layers)


def encoder_layers(model: Network) -> nn.ModuleList:
    """The stack of blocks, from the bottom; empty for ALBERT, whose blocks share their weights."""
    architecture = str(model.config.model_type)
    path = {"albert": None, "distilbert": "transformer.layer", "modernbert": "layers"}.get(
        architecture, "encoder.layer"
    )
    if path is None:
        return nn.ModuleList()
    found = model.encoder.get_submodule(path)
    if not isinstance(found, nn.ModuleList):
        raise BaseModelError(f"Architecture {architecture}: expected a list of layers, found {type(found).__name__}.")
    return found


def torch_logits(
    model: Network,
    rows: Sequence[Sequence[int]],
    *,
    segments: Sequence[Sequence[int]] | None = None,
    advance: Callable[[int], None],
    batch: int = 64,
) -> Floats:
    """[n, labels] logits of a network that classifies whole texts, in fp32, in batches of similar length."""
    return np.stack(torch_outputs(model, rows, "logits", segments=segments, advance=advance, batch=batch))


def torch_outputs(
    model: Network,
    rows: Sequence[Sequence[int]],
    output: str,
    *,
    segments: Sequence[Sequence[int]] | None = None,
    advance: Callable[[int], None],
    batch: int = 64,
) -> list[Floats]:
    """One output of the network itself for each row, in fp32; of outputs a token, those of the row's own tokens."""
    order = [int(index) for index in np.argsort([len(ids) for ids in rows], kind="stable")]
    found: dict[int, Floats] = {}
    model.eval()
    with torch.inference_mode():
        for start in range(0, len(order), batch):
            chosen = order[start : start + batch]
            kept = None if segments is None else [segments[index] for index in chosen]
            given = model(**pad_batch([rows[index] for index in chosen], kept))[output].numpy()
            for index, values in zip(chosen, given, strict=True):
                found[index] = values[: len(rows[index])] if given.ndim == 3 else values
            advance(len(chosen))
    return [found[index] for index in range(len(rows))]
