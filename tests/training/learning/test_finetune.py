"""Fine-tuning and pruning of tiny networks."""

from __future__ import annotations

import io
from copy import deepcopy
from pathlib import Path

import pytest
import torch
from rich.console import Console

from contracts.errors import TrainingError
from contracts.task import PruneSpec, TrainSpec
from training.artefact.export import export_onnx
from training.learning.base_model import resolve
from training.learning.classifier import TextClassifier, build_classifier, encoder_layers, freeze_layers
from training.learning.finetune import Teacher, fine_tune
from training.learning.objective import soft_label_loss
from training.learning.prune import prune
from training.progress import Progress, Stage


def recipe(**changes: object) -> TrainSpec:
    return TrainSpec(epochs=2, batch_size=16, learning_rate=5e-3, seed=3).model_copy(update=changes)


def test_what_is_frozen_stays_and_the_rest_learns(model: TextClassifier, encode, stage: Stage, tmp_path: Path) -> None:
    before = deepcopy(model.state_dict())
    freeze_layers(model, embeddings=True, layers=1)
    fine_tune(model, encode(64, 1), encode(32, 2), recipe(), folder=tmp_path, stage=stage)
    moved = {name for name, value in model.state_dict().items() if not torch.equal(value, before[name])}
    assert not [name for name in moved if name.startswith(("encoder.embeddings", "encoder.encoder.layer.0"))]
    assert [name for name in moved if name.startswith("encoder.encoder.layer.1")]
    assert "head.weight" in moved


def test_the_best_epoch_is_kept_and_patience_ends_the_rest(
    model: TextClassifier, encode, stage: Stage, tmp_path: Path
) -> None:
    validation = encode(60, 2)
    epochs = fine_tune(model, encode(200, 1), validation, recipe(epochs=30, patience=2), folder=tmp_path, stage=stage)
    accuracies = [epoch.validation_score for epoch in epochs]
    assert len(epochs) < 30
    first_best = accuracies.index(max(accuracies))
    assert len(epochs) == first_best + 3
    from training.learning.classifier import torch_logits

    found = torch_logits(model, validation.ids, advance=lambda _: None).argmax(axis=1)
    assert (found == validation.labels).mean() == pytest.approx(max(accuracies))


def test_a_loss_that_is_no_number_stops_at_its_step(
    model: TextClassifier, encode, stage: Stage, tmp_path: Path
) -> None:
    with torch.no_grad():
        model.head.weight[0, 0] = float("inf")
    with pytest.raises(TrainingError, match=r"at step 1: the loss is (nan|inf)"):
        fine_tune(model, encode(64, 1), encode(32, 2), recipe(), folder=tmp_path, stage=stage)


def test_the_same_seed_gives_the_same_weights(tiny_base: Path, encode, stage: Stage, tmp_path: Path) -> None:
    base = resolve(str(tiny_base), max_tokens=32)

    def weights(seed: int) -> torch.Tensor:
        model = build_classifier(base, 3, seed)
        fine_tune(model, encode(64, 1), encode(32, 2), recipe(seed=seed, epochs=1), folder=tmp_path, stage=stage)
        return torch.cat([value.flatten() for value in model.state_dict().values()])

    assert torch.equal(weights(3), weights(3))
    assert not torch.equal(weights(3), weights(4))


def test_soft_labels_pull_towards_the_teacher() -> None:
    taught = torch.tensor([[2.0, 0.0, -1.0]])
    assert soft_label_loss(taught, taught).item() == pytest.approx(0.0, abs=1e-6)
    assert soft_label_loss(taught + 5.0, taught).item() == pytest.approx(0.0, abs=1e-5)
    assert soft_label_loss(-taught, taught).item() > 1.0


def test_pruning_makes_the_graph_smaller_and_recovery_wins_accuracy_back(
    model: TextClassifier, encode, stage: Stage, tmp_path: Path
) -> None:
    train, validation = encode(240, 1), encode(60, 2)
    fine_tune(model, train, validation, recipe(epochs=4), folder=tmp_path, stage=stage)
    export_onnx(model, tmp_path / "whole.onnx")
    teacher = Teacher(deepcopy(model), 0.5)
    found = prune(model, PruneSpec(drop_layers=1, ffn_share=0.5), train, validation, stage)
    assert len(encoder_layers(model)) == model.config.num_hidden_layers == 1
    assert (found.ffn_columns_before, found.ffn_columns_after) == (64, 32)
    assert model.config.intermediate_size == 32
    recovered = fine_tune(model, train, validation, recipe(), folder=tmp_path, stage=stage, teacher=teacher)
    export_onnx(model, tmp_path / "pruned.onnx")
    saved = (tmp_path / "whole.onnx").stat().st_size - (tmp_path / "pruned.onnx").stat().st_size
    # One whole layer (attention 4 x 32 x 32, feed-forward 2 x 32 x 64) and half of the other's feed-forward part.
    assert saved > 4 * (4 * 32 * 32 + 2 * 32 * 64 + 2 * 32 * 32) * 0.95
    assert recovered[-1].validation_score > 0.8


def test_the_least_needed_layer_goes(model: TextClassifier, encode, stage: Stage, tmp_path: Path) -> None:
    train, validation = encode(160, 1), encode(60, 2)
    fine_tune(model, train, validation, recipe(epochs=3), folder=tmp_path, stage=stage)
    idle = encoder_layers(model)[1]
    with torch.no_grad():  # a block that adds nothing to its input is one that nobody misses
        for part in (idle.attention.output.dense, idle.output.dense):
            part.weight.zero_()
            part.bias.zero_()
    assert prune(model, PruneSpec(drop_layers=1), train, validation, stage).dropped_layers == (1,)


def test_the_columns_that_nothing_reads_go(model: TextClassifier, encode, stage: Stage) -> None:
    idle = torch.arange(1, 64, 2)
    with torch.no_grad():
        for layer in encoder_layers(model):
            layer.output.dense.weight[:, idle] = 0.0
    kept = [layer.intermediate.dense.weight[::2].clone() for layer in encoder_layers(model)]
    prune(model, PruneSpec(ffn_share=0.5), encode(64, 1), encode(32, 2), stage)
    for layer, expected in zip(encoder_layers(model), kept, strict=True):
        assert torch.equal(layer.intermediate.dense.weight, expected)


def test_seconds_are_kept_of_stages_that_fail_too() -> None:
    times = iter([0.0, 2.0, 10.0, 13.0])
    written = io.StringIO()
    progress = Progress(Console(file=written), clock=lambda: next(times))
    with progress.stage("data", "Reading") as stage:
        stage.line("9 rows")
    with pytest.raises(TrainingError), progress.stage("train", "Training"):
        raise TrainingError("no")
    assert progress.seconds == {"data": 2.0, "train": 3.0}
    assert written.getvalue() == "Reading ...\n  9 rows\nTraining ...\n"
