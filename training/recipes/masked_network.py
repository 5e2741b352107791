"""A base model with the head that it was pre-trained with."""

from __future__ import annotations

import torch
from transformers import AutoModelForMaskedLM, PreTrainedModel
from transformers.utils import logging as transformers_logging

from contracts.errors import BaseModelError
from training.learning.base_model import BaseModel


def masked_model(base: BaseModel, seed: int) -> PreTrainedModel:
    """The base model with its own head for masked tokens, or a new one on its embeddings where it has none.

    The same seed gives the same head. Raises BaseModelError for one that cannot be loaded so.
    """
    verbosity = transformers_logging.get_verbosity()
    transformers_logging.set_verbosity_error()
    torch.manual_seed(seed)
    try:
        network: PreTrainedModel = AutoModelForMaskedLM.from_pretrained(
            base.folder,
            config=base.config,
            use_safetensors=True,
            trust_remote_code=False,
            local_files_only=True,
            dtype=torch.float32,
        )
    except Exception as error:
        # safetensors has an exception class of its own; an architecture without such a head raises ValueError.
        raise BaseModelError(
            f"Base model {base.name}: it cannot be adapted ({error}). Remove [adapt], or choose another base model."
        ) from error
    finally:
        transformers_logging.set_verbosity(verbosity)
    return network


def encoder_of(network: PreTrainedModel, base: BaseModel) -> PreTrainedModel:
    """The encoder under that head. Raises BaseModelError where there is none."""
    encoder = network.base_model
    if not isinstance(encoder, PreTrainedModel):
        raise BaseModelError(
            f"Base model {base.name}: expected a pre-trained encoder under its head, found {type(encoder).__name__}. "
            "Remove [adapt], or choose another base model."
        )
    return encoder
