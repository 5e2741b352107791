"""Where a network is trained. Most of this says more on a machine with a graphics card."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from transformers import AutoConfig, AutoModel

from contracts.task import TrainSpec
from training.learning.base_model import ENCODERS, resolve
from training.learning.classifier import build_classifier
from training.learning.device import reproducible, training_device
from training.learning.finetune import Encoded, fine_tune
from training.progress import Stage

SIZES = {
    "vocab_size": 60,
    "hidden_size": 32,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
    "intermediate_size": 64,
    "max_position_embeddings": 40,
    "pad_token_id": 0,
}
DIFFERENT: dict[str, dict[str, object]] = {
    "distilbert": {"dim": 32, "n_layers": 2, "n_heads": 2, "hidden_dim": 64},
    "electra": {"embedding_size": 16},
    "albert": {"embedding_size": 16},
    "deberta-v2": {"relative_attention": True, "pos_att_type": ["p2c", "c2p"]},
}


def rows(count: int, seed: int) -> Encoded:
    rng = np.random.default_rng(seed)
    ids = [rng.integers(5, 60, size=rng.integers(2, 30)).tolist() for _ in range(count)]
    return Encoded(ids, [number % 3 for number in range(count)])


@pytest.mark.parametrize("precision", ["fp32", "bf16"])
@pytest.mark.parametrize("architecture", ENCODERS)
def test_the_same_seed_gives_the_same_weights(architecture: str, precision: str, stage: Stage, tmp_path: Path) -> None:
    torch.manual_seed(3)
    config = AutoConfig.for_model(architecture, **SIZES | DIFFERENT.get(architecture, {}))
    AutoModel.from_config(config).save_pretrained(tmp_path / "base")
    base = resolve(str(tmp_path / "base"), max_tokens=30)
    assert getattr(base.config, "reference_compile", False) is False
    recipe = TrainSpec.model_validate(
        {"epochs": 1, "batch_size": 16, "learning_rate": 1e-3, "precision": precision, "class_weights": "balanced"}
    )
    found = []
    for run in ("one", "two"):
        model = build_classifier(base, 3, 1)
        fine_tune(model, rows(48, 1), rows(20, 2), recipe, folder=tmp_path / run, stage=stage)
        assert {value.device.type for value in model.parameters()} == {"cpu"}
        found.append(torch.cat([value.detach().flatten() for value in model.parameters()]))
    assert torch.equal(*found)


def test_how_sums_are_made_is_as_it_was_afterwards() -> None:
    on_card = training_device().type == "cuda"
    before = torch.are_deterministic_algorithms_enabled()
    with reproducible():
        assert torch.are_deterministic_algorithms_enabled() == (on_card or before)
    assert torch.are_deterministic_algorithms_enabled() == before
