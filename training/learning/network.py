"""The encoder that every network is built on, and the mean of its token states."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

import torch
from torch import Tensor, nn
from transformers import AutoModel, PreTrainedModel
from transformers.utils import logging as transformers_logging

from contracts.errors import BaseModelError
from training.learning.base_model import BaseModel
from training.learning.objective import Objective

DROPOUT = 0.1
BATCH_AXIS = {0: "batch_size"}
TOKEN_AXES = {0: "batch_size", 1: "sequence_length"}


class Network(nn.Module):
    """A pre-trained encoder and what it learns by; what a kind of task puts on top of it is a subclass's.

    `forward` gives named outputs. `embedding`, the mean over unmasked tokens, is always one of them: it is what the
    monitor watches. `outputs` are their names and the axes that depend on the batch.
    """

    outputs: ClassVar[Mapping[str, Mapping[int, str]]] = {"logits": BATCH_AXIS, "embedding": BATCH_AXIS}

    def __init__(self, encoder: PreTrainedModel, objective: Objective) -> None:
        super().__init__()
        self.encoder = encoder
        self.objective = objective
        self.config = encoder.config
        self.dropout = nn.Dropout(DROPOUT)

    def states(self, input_ids: Tensor, attention_mask: Tensor, token_type_ids: Tensor | None) -> Tensor:
        """[batch, tokens] -> the last layer's states, [batch, tokens, hidden]."""
        # Encoders that know one type of tokens, or none, must not be told of two.
        typed = token_type_ids is not None and int(getattr(self.config, "type_vocab_size", 0)) > 1
        extra = {"token_type_ids": token_type_ids} if typed else {}
        states: Tensor = self.encoder(input_ids=input_ids, attention_mask=attention_mask, **extra).last_hidden_state
        return states


def mean_state(states: Tensor, attention_mask: Tensor) -> Tensor:
    """[batch, tokens, hidden] -> the mean over unmasked tokens, [batch, hidden]."""
    mask = attention_mask.unsqueeze(-1).to(states.dtype)
    return (states * mask).sum(dim=1) / mask.sum(dim=1).clamp(min=1.0)


def new_layer(width: int, outputs: int) -> nn.Linear:
    """A linear layer that nobody has trained yet."""
    layer = nn.Linear(width, outputs)
    nn.init.normal_(layer.weight, std=0.02)
    nn.init.zeros_(layer.bias)
    return layer


def load_encoder(base: BaseModel) -> PreTrainedModel:
    """The encoder's weights, from safetensors only.

    Raises BaseModelError when weights of the encoder are missing from the file. A pooling layer, which most
    checkpoints have and no network here uses, is dropped.
    """
    verbosity = transformers_logging.get_verbosity()
    transformers_logging.set_verbosity_error()
    try:
        encoder, info = AutoModel.from_pretrained(
            base.folder,
            config=base.config,
            use_safetensors=True,
            trust_remote_code=False,
            local_files_only=True,
            output_loading_info=True,
            dtype=torch.float32,
        )
    except Exception as error:
        # safetensors has an exception class of its own; a config of wrong types raises TypeError or KeyError.
        raise BaseModelError(
            f"Base model {base.name}: its weights in {base.folder} cannot be loaded ({error}). Fetch it again."
        ) from error
    finally:
        transformers_logging.set_verbosity(verbosity)
    missing = sorted(key for key in info["missing_keys"] if not key.startswith("pooler."))
    if missing or info["mismatched_keys"]:
        raise BaseModelError(
            f"Base model {base.name}: the weights in {base.folder} do not fit its config.json; missing or of another "
            f"shape: {', '.join(map(str, [*missing, *info['mismatched_keys']][:3]))}. Fetch it again."
        )
    if getattr(encoder, "pooler", None) is not None:
        encoder.pooler = None
    found: PreTrainedModel = encoder
    return found
