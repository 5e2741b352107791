"""How fast is learned at which step, and by which part."""

from __future__ import annotations

import math
from pathlib import Path

import pytest
from transformers import get_cosine_schedule_with_warmup, get_linear_schedule_with_warmup

from contracts.task import TrainSpec
from training.learning.base_model import resolve
from training.learning.classifier import build_classifier, freeze_layers
from training.learning.schedule import make_optimizer, rate_factor, set_rates


@pytest.mark.parametrize(
    ("schedule", "known"), [("linear", get_linear_schedule_with_warmup), ("cosine", get_cosine_schedule_with_warmup)]
)
@pytest.mark.parametrize("warmup", [0.0, 0.1, 0.25])
def test_the_rate_goes_as_transformers_has_it(schedule: str, known, warmup: float, tiny_base: Path) -> None:
    model = build_classifier(resolve(str(tiny_base), max_tokens=32), 3, 1)
    optimizer = make_optimizer(model, TrainSpec(learning_rate=1e-3))
    theirs = known(optimizer, math.ceil(57 * warmup), 57)
    for step in range(57):
        expected = theirs.get_last_lr()[0]
        assert rate_factor(step, 57, schedule=schedule, warmup_ratio=warmup) * 1e-3 == pytest.approx(expected, abs=1e-9)
        optimizer.step()
        theirs.step()


def test_a_constant_rate_warms_up_and_stays() -> None:
    found = [rate_factor(step, 10, schedule="constant", warmup_ratio=0.2) for step in range(10)]
    assert found == [0.0, 0.5, *[1.0] * 8]


def test_lower_layers_learn_slower_and_norms_are_not_decayed(tiny_base: Path) -> None:
    model = build_classifier(resolve(str(tiny_base), max_tokens=32), 3, 1)
    optimizer = make_optimizer(model, TrainSpec(learning_rate=1e-3, layer_decay=0.5, weight_decay=0.01))
    set_rates(optimizer, 0.5)
    of = {id(parameter): group for group in optimizer.param_groups for parameter in group["params"]}

    def settings(name: str) -> tuple[float, float]:
        group = of[id(model.get_parameter(name))]
        return group["lr"], group["weight_decay"]

    assert settings("head.weight") == (5e-4, 0.01)
    assert settings("head.bias") == (5e-4, 0.0)
    assert settings("encoder.encoder.layer.1.output.dense.weight") == (2.5e-4, 0.01)
    assert settings("encoder.encoder.layer.0.output.dense.weight") == (1.25e-4, 0.01)
    assert settings("encoder.encoder.layer.0.output.LayerNorm.weight") == (1.25e-4, 0.0)
    assert settings("encoder.embeddings.word_embeddings.weight") == (6.25e-5, 0.01)


def test_what_is_frozen_is_not_in_the_optimizer(tiny_base: Path) -> None:
    model = build_classifier(resolve(str(tiny_base), max_tokens=32), 3, 1)
    freeze_layers(model, embeddings=True, layers=1)
    held = {id(one) for group in make_optimizer(model, TrainSpec()).param_groups for one in group["params"]}
    assert held == {id(one) for one in model.parameters() if one.requires_grad}
    assert id(model.get_parameter("encoder.embeddings.word_embeddings.weight")) not in held
