"""The network that is trained: a pre-trained encoder, the mean of its token states, one linear layer."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import torch
from torch import Tensor, nn
from transformers import AutoModel, PreTrainedModel
from transformers.utils import logging as transformers_logging

from contracts.errors import BaseModelError
from contracts.reference import Floats
from training.learning.base_model import BaseModel

_DROPOUT = 0.1


class TextClassifier(nn.Module):
    """The mean over unmasked tokens is both what is classified and what the monitor watches."""

    def __init__(self, encoder: PreTrainedModel, labels: int) -> None:
        super().__init__()
        self.encoder = encoder
        self.config = encoder.config
        self.dropout = nn.Dropout(_DROPOUT)
        self.head = nn.Linear(int(encoder.config.hidden_size), labels)
        nn.init.normal_(self.head.weight, std=0.02)
        nn.init.zeros_(self.head.bias)

    def forward(
        self, input_ids: Tensor, attention_mask: Tensor, token_type_ids: Tensor | None = None
    ) -> dict[str, Tensor]:
        """[batch, tokens] -> `logits` [batch, labels] and `embedding` [batch, hidden]."""
        extra = {} if token_type_ids is None else {"token_type_ids": token_type_ids}
        states = self.encoder(input_ids=input_ids, attention_mask=attention_mask, **extra).last_hidden_state
        mask = attention_mask.unsqueeze(-1).to(states.dtype)
        embedding = (states * mask).sum(dim=1) / mask.sum(dim=1).clamp(min=1.0)
        return {"logits": self.head(self.dropout(embedding)), "embedding": embedding}


def build_classifier(base: BaseModel, labels: int, seed: int) -> TextClassifier:
    """Load the encoder (safetensors only) and put a new head on it; the same seed gives the same head.

    Raises BaseModelError when weights of the encoder are missing from the file. A pooling layer, which most
    checkpoints have and this network does not use, is dropped.
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
    torch.manual_seed(seed)
    return TextClassifier(encoder, labels)


def freeze_layers(model: TextClassifier, *, embeddings: bool, layers: int) -> None:
    """Keep embeddings, and so many layers from the bottom, as they are; the optimizer never sees them."""
    if embeddings:
        model.encoder.embeddings.requires_grad_(False)
    for layer in list(encoder_layers(model))[:layers]:
        layer.requires_grad_(False)


def layer_count(base: BaseModel) -> int:
    """Encoder layers that can be frozen or dropped one by one."""
    return 0 if base.architecture == "albert" else int(base.config.num_hidden_layers)


def encoder_layers(model: TextClassifier) -> nn.ModuleList:
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


def pad_batch(rows: Sequence[Sequence[int]]) -> dict[str, Tensor]:
    """To the longest of the batch; what stands in masked places does not matter, so zeros do."""
    longest = max(len(ids) for ids in rows)
    ids = torch.zeros((len(rows), longest), dtype=torch.long)
    mask = torch.zeros((len(rows), longest), dtype=torch.long)
    for row, tokens in enumerate(rows):
        ids[row, : len(tokens)] = torch.tensor(tokens, dtype=torch.long)
        mask[row, : len(tokens)] = 1
    return {"input_ids": ids, "attention_mask": mask}


def torch_logits(
    model: TextClassifier, rows: Sequence[Sequence[int]], *, advance: Callable[[int], None], batch: int = 64
) -> Floats:
    """[n, labels] logits of the network itself, in fp32, in batches of similar length."""
    order = np.argsort([len(ids) for ids in rows], kind="stable")
    found = []
    model.eval()
    with torch.inference_mode():
        for start in range(0, len(order), batch):
            chosen = [rows[index] for index in order[start : start + batch]]
            found.append(model(**pad_batch(chosen))["logits"].numpy())
            advance(len(chosen))
    logits: Floats = np.concatenate(found)[np.argsort(order, kind="stable")]
    return logits
