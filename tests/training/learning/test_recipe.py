"""Every setting of a recipe does what it says."""

from __future__ import annotations

from collections.abc import Callable
from copy import deepcopy
from pathlib import Path

import pytest
import torch
from torch.nn import functional

from contracts.errors import TrainingError
from contracts.recipes import LoraSpec
from contracts.task import TrainSpec
from training.kinds.token_classification import tag_objective
from training.learning import step
from training.learning.adapters import add_adapters, merge_adapters
from training.learning.base_model import resolve
from training.learning.classifier import TextClassifier, build_classifier, build_token_classifier, freeze_layers
from training.learning.dropout import set_dropout
from training.learning.finetune import Encoded, Epoch, fine_tune
from training.learning.objective import IGNORED, LossSettings, cross_entropy, label_weight
from training.learning.weighting import balanced_weights, loss_settings
from training.progress import Stage

Encode = Callable[[int, int], Encoded]
LOGITS = torch.tensor([[2.0, 0.0, -1.0], [0.5, 0.3, 0.1], [-1.0, 3.0, 0.0], [0.0, 0.0, 0.0]])
LABELS = torch.tensor([0, 2, 1, IGNORED])


def run(tiny_base: Path, encode: Encode, stage: Stage, folder: Path, **changes: object) -> list[Epoch]:
    model = build_classifier(resolve(str(tiny_base), max_tokens=32), 3, 1)
    set_dropout(model, 0.0)
    recipe = TrainSpec(epochs=2, batch_size=16, learning_rate=5e-3, seed=3).model_copy(update=changes)
    return fine_tune(model, encode(64, 1), encode(32, 2), recipe, folder=folder, stage=stage)


def test_parts_of_a_batch_give_the_whole_batch_s_step(
    tiny_base: Path, encode: Encode, stage: Stage, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = run(tiny_base, encode, stage, tmp_path / "whole", precision="fp32")
    monkeypatch.setattr(step, "TOKENS_AT_ONCE", 40)
    parts = run(tiny_base, encode, stage, tmp_path / "parts", precision="fp32")
    for one, other in zip(whole, parts, strict=True):
        assert other.train_loss == pytest.approx(one.train_loss, rel=1e-3)
        assert other.validation_loss == pytest.approx(one.validation_loss, rel=1e-3)


def test_accumulated_batches_are_one_step(tiny_base: Path, encode: Encode, stage: Stage, tmp_path: Path) -> None:
    # Every text is in the one step of an epoch either way.
    large = run(tiny_base, encode, stage, tmp_path, batch_size=64, precision="fp32")
    several = run(tiny_base, encode, stage, tmp_path, batch_size=16, gradient_accumulation=4, precision="fp32")
    for one, other in zip(large, several, strict=True):
        assert other.train_loss == pytest.approx(one.train_loss, rel=1e-3)
        assert other.validation_loss == pytest.approx(one.validation_loss, rel=1e-3)


def test_schedules_learn_differently(tiny_base: Path, encode: Encode, stage: Stage, tmp_path: Path) -> None:
    losses = {run(tiny_base, encode, stage, tmp_path, schedule=one)[-1].train_loss for one in ("linear", "cosine")}
    losses |= {run(tiny_base, encode, stage, tmp_path, layer_decay=0.5)[-1].train_loss}
    assert len(losses) == 3


def test_focal_loss_weighs_what_is_easy_less() -> None:
    gamma = 2.0
    expected = []
    for logits, label in zip(LOGITS[:3], LABELS[:3], strict=True):
        p = functional.softmax(logits, dim=0)[label]
        expected.append(-((1 - p) ** gamma) * torch.log(p))
    found = cross_entropy(LOGITS, LABELS, LossSettings(focal_gamma=gamma))
    assert found.item() == pytest.approx(torch.stack(expected).mean().item(), rel=1e-5)
    assert cross_entropy(LOGITS, LABELS, LossSettings()).item() == pytest.approx(
        functional.cross_entropy(LOGITS, LABELS).item(), rel=1e-6
    )


def test_weighted_labels_are_averaged_as_torch_does() -> None:
    settings = LossSettings(label_smoothing=0.1, class_weights=(0.5, 2.0))
    # Of the third label none was trained on: it weighs 1.
    labels = torch.tensor([0, 0, 1, IGNORED])
    expected = functional.cross_entropy(LOGITS, labels, weight=torch.tensor([0.5, 2.0, 1.0]), label_smoothing=0.1)
    assert cross_entropy(LOGITS, labels, settings).item() == pytest.approx(expected.item(), rel=1e-5)


def test_the_mean_over_nothing_is_nothing() -> None:
    nothing = torch.full((4,), IGNORED)
    assert label_weight(nothing, LossSettings()) == 0.0
    assert cross_entropy(LOGITS, nothing, LossSettings()).item() == 0.0


def test_balanced_labels_weigh_the_same_in_sum() -> None:
    assert balanced_weights([0, 0, 0, 1]) == pytest.approx((4 / 6, 2.0))
    assert balanced_weights([0, 2]) == pytest.approx((1.0, 1.0, 1.0))
    tokens = Encoded([[1, 2, 3]], [[IGNORED, 0, 1]])
    assert loss_settings(TrainSpec(class_weights="balanced"), tokens).class_weights == (1.0, 1.0)
    with pytest.raises(TrainingError, match="one label a text or a token"):
        loss_settings(TrainSpec(class_weights="balanced"), Encoded([[1]], [[0.5, 0.5]]))


@pytest.mark.parametrize("layers", ["attention", "all"])
def test_adapters_are_merged_into_an_ordinary_network(
    model: TextClassifier, encode: Encode, stage: Stage, tmp_path: Path, layers: str
) -> None:
    freeze_layers(model, embeddings=True, layers=0)
    names = set(model.state_dict())
    trainable = {name for name, value in model.named_parameters() if value.requires_grad}
    before = deepcopy(model.state_dict())
    adapted = add_adapters(model, LoraSpec(rank=4, layers=layers), 3)
    trained = {name for name, value in model.named_parameters() if value.requires_grad}
    assert {name for name in trained if "lora_" not in name} == {"head.weight", "head.bias"}
    assert any("intermediate" in name for name in trained) == (layers == "all")
    recipe = TrainSpec(epochs=6, batch_size=16, learning_rate=2e-2, seed=3, patience=9)
    validation = encode(60, 2)
    epochs = fine_tune(model, encode(200, 1), validation, recipe, folder=tmp_path, stage=stage)
    assert epochs[-1].train_loss < 0.95 * epochs[0].train_loss
    inputs = model.objective.collate([validation.row(index) for index in range(8)])
    inputs.pop("labels")
    with torch.inference_mode():
        expected = model.eval()(**inputs)["logits"]
        merge_adapters(model, adapted)
        found = model.eval()(**inputs)["logits"]
    assert set(model.state_dict()) == names
    assert {name for name, value in model.named_parameters() if value.requires_grad} == trainable
    torch.testing.assert_close(found, expected, atol=1e-4, rtol=1e-4)
    moved = {name for name, value in model.state_dict().items() if not torch.equal(value, before[name])}
    assert all("query" in name or "layer" in name or "head" in name for name in moved)
    assert "encoder.encoder.layer.0.attention.self.query.weight" in moved
    assert "encoder.embeddings.word_embeddings.weight" not in moved


def test_frozen_layers_get_no_adapters_and_the_seed_decides_how_the_others_begin(model: TextClassifier) -> None:
    freeze_layers(model, embeddings=True, layers=1)
    begun = []
    for draws in (1, 2):
        torch.rand(draws)  # whatever was drawn before
        other = deepcopy(model)
        add_adapters(other, LoraSpec(rank=4), 3)
        begun.append({name: value for name, value in other.state_dict().items() if "lora_" in name})
    assert begun[0]
    assert not [name for name in begun[0] if "layer.0." in name]
    assert all(torch.equal(value, begun[1][name]) for name, value in begun[0].items())
    freeze_layers(model, embeddings=True, layers=2)
    with pytest.raises(TrainingError, match="freeze_layers"):
        add_adapters(model, LoraSpec(rank=4), 3)


def test_a_batch_without_a_word_to_learn_from_changes_nothing(
    tiny_base: Path, encode: Encode, stage: Stage, tmp_path: Path
) -> None:
    known = encode(32, 1)
    objective = tag_objective(("O", "B-x"))
    labels = [[IGNORED] * len(ids) if row < 8 else [0] * len(ids) for row, ids in enumerate(known.ids)]
    # What has no words is as short as special tokens alone, and so in one batch.
    train = Encoded(
        [ids[:2] if row < 8 else ids for row, ids in enumerate(known.ids)],
        [one[:2] if row < 8 else one for row, one in enumerate(labels)],
    )
    model = build_token_classifier(resolve(str(tiny_base), max_tokens=32), 2, 1, objective)
    epochs = fine_tune(model, train, train, TrainSpec(epochs=1, batch_size=8), folder=tmp_path, stage=stage)
    assert epochs[0].train_loss > 0


def test_a_gradient_that_is_no_number_changes_nothing(
    model: TextClassifier, encode: Encode, stage: Stage, tmp_path: Path
) -> None:
    before = deepcopy(model.state_dict())
    model.head.weight.register_hook(lambda gradient: gradient * float("inf"))
    with pytest.raises(TrainingError, match=r"at step 1: the norm of the gradient is (nan|inf)"):
        fine_tune(model, encode(64, 1), encode(32, 2), TrainSpec(), folder=tmp_path, stage=stage)
    assert all(torch.equal(value, before[name]) for name, value in model.state_dict().items())
