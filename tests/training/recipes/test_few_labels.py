"""The contrastive recipe on a tiny model: what it learns, keeps, leaves alone and refuses."""

from __future__ import annotations

import errno
import io
import json
import os
from collections.abc import Callable
from copy import deepcopy
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from contracts.errors import TrainingError
from contracts.home import Home
from contracts.task import GateSpec, TaskSpec, TrainSpec
from training.learning.base_model import BaseModel
from training.learning.classifier import TextClassifier, build_classifier, freeze_layers, torch_logits
from training.learning.lesson import Encoded, Epoch
from training.learning.objective import ONE_LABEL
from training.progress import Stage
from training.recipes.drawing import embed
from training.recipes.few_labels import contrast
from training.recipes.linear_head import fit_head
from training.room import told_when_full


def recipe(**changes: object) -> TrainSpec:
    made = TrainSpec(recipe="contrastive", epochs=3, batch_size=16, learning_rate=2e-3, patience=9, seed=3)
    return made.model_copy(update=changes)


def accuracy(model: TextClassifier, encoded: Encoded) -> float:
    found = torch_logits(model, encoded.ids, advance=lambda _: None).argmax(axis=1)
    return float((found == np.asarray(encoded.labels)).mean())


@pytest.fixture
def model(base: BaseModel) -> TextClassifier:
    return build_classifier(base, 3, 1)


def test_it_learns_from_a_few_texts_a_label(
    model: TextClassifier, encode: Callable[[int, int], Encoded], stage: Stage, tmp_path: Path
) -> None:
    train, validation, test = encode(96, 1), encode(24, 2), encode(150, 3)
    before = fit_head(embed(model, train), np.array(train.labels), embed(model, test), np.array(test.labels), count=3)
    epochs = contrast(model, train, validation, recipe(epochs=12, learning_rate=5e-3), folder=tmp_path, stage=stage)
    assert accuracy(model, test) > before.validation_accuracy + 0.1
    assert epochs[-1].train_loss < epochs[0].train_loss
    # The epoch that is kept is that of the lowest validation loss, head and encoder alike.
    best = min(epochs, key=lambda epoch: epoch.validation_loss)
    assert accuracy(model, validation) == pytest.approx(best.validation_score)
    assert not model.training


def test_what_is_frozen_stays(
    model: TextClassifier, encode: Callable[[int, int], Encoded], stage: Stage, tmp_path: Path
) -> None:
    before = deepcopy(model.state_dict())
    freeze_layers(model, embeddings=True, layers=1)
    contrast(model, encode(24, 1), encode(24, 2), recipe(epochs=1), folder=tmp_path, stage=stage)
    moved = {name for name, value in model.state_dict().items() if not torch.equal(value, before[name])}
    assert not [name for name in moved if name.startswith(("encoder.embeddings", "encoder.encoder.layer.0"))]
    assert [name for name in moved if name.startswith("encoder.encoder.layer.1")]
    assert {"head.weight", "head.bias"} <= moved


def test_the_same_seed_gives_the_same_weights(
    base: BaseModel, encode: Callable[[int, int], Encoded], stage: Stage, tmp_path: Path
) -> None:
    def weights(seed: int, name: str) -> torch.Tensor:
        model, settings = build_classifier(base, 3, 1), recipe(epochs=1, seed=seed)
        contrast(model, encode(24, 1), encode(24, 2), settings, folder=tmp_path / name, stage=stage)
        return torch.cat([value.flatten() for value in model.state_dict().values()])

    assert torch.equal(weights(3, "one"), weights(3, "two"))
    assert not torch.equal(weights(3, "one"), weights(4, "one"))


def test_patience_ends_it_and_who_watches_may_too(
    model: TextClassifier, encode: Callable[[int, int], Encoded], stage: Stage, printed: io.StringIO, tmp_path: Path
) -> None:
    train, validation = encode(24, 1), encode(24, 2)
    still = recipe(epochs=9, patience=2, learning_rate=1e-12)
    epochs = contrast(model, train, validation, still, folder=tmp_path, stage=stage)
    assert len(epochs) < 9
    assert "stopped early" in printed.getvalue()

    def stop(epoch: Epoch) -> None:
        if epoch.number == 2:
            raise InterruptedError

    with pytest.raises(InterruptedError):
        contrast(model, train, validation, recipe(epochs=9), folder=tmp_path, stage=stage, watch=stop)


def test_a_loss_that_is_no_number_stops_at_its_step(
    model: TextClassifier, encode: Callable[[int, int], Encoded], stage: Stage, tmp_path: Path
) -> None:
    with torch.no_grad():
        next(model.encoder.parameters())[:] = float("nan")
    with pytest.raises(TrainingError, match=r"at step 1: the loss is nan"):
        contrast(model, encode(24, 1), encode(24, 2), recipe(), folder=tmp_path, stage=stage)


def test_another_objective_is_refused(
    model: TextClassifier, encode: Callable[[int, int], Encoded], stage: Stage, tmp_path: Path
) -> None:
    from dataclasses import replace

    model.objective = replace(ONE_LABEL, score_name="F1")
    with pytest.raises(TrainingError, match="one label a text"):
        contrast(model, encode(24, 1), encode(24, 2), recipe(), folder=tmp_path, stage=stage)


@pytest.mark.parametrize("count", [2, 5])
def test_the_head_says_what_the_regression_says(count: int) -> None:
    from sklearn.linear_model import LogisticRegression

    rng = np.random.default_rng(1)
    labels = np.arange(60) % count
    rows = (rng.normal(size=(count, 8))[labels] + rng.normal(size=(60, 8))).astype(np.float32)
    head = fit_head(rows, labels, rows, labels, count=count, strengths=[10.0])
    layer = nn.Linear(8, count)
    head.write_to(layer)
    with torch.no_grad():
        found = torch.softmax(layer(torch.from_numpy(rows)), dim=1).numpy()
    scale = np.linalg.norm(rows, axis=1).mean()
    model = LogisticRegression(C=10.0, max_iter=300, tol=1e-4).fit(rows / scale, labels)
    np.testing.assert_allclose(found, model.predict_proba(rows / scale), atol=1e-4)


def test_the_whole_way_to_a_release(tiny_spec: Callable[..., TaskSpec], home: Home) -> None:
    from training.pipeline import train

    spec = tiny_spec(rows=120, gate=GateSpec(max_quantization_drop=0.3))
    manifest = train(home, spec.model_copy(update={"train": recipe(epochs=4)}))
    assert manifest.spec.train.recipe == "contrastive"
    assert manifest.metrics["accuracy"] > 0.5
    told = json.loads((home.release("support", manifest.version) / "metrics.json").read_text())
    assert [epoch["number"] for epoch in told["epochs"]] == [1, 2, 3, 4]


def test_a_disk_without_room_is_told_as_what_it_is(
    model: TextClassifier,
    encode: Callable[[int, int], Encoded],
    stage: Stage,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def full(_: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "fsync", full)
    with (
        pytest.raises(TrainingError, match=r"checkpoint .* cannot be written \(No space left"),
        told_when_full(tmp_path),
    ):
        contrast(model, encode(24, 1), encode(24, 2), recipe(epochs=1), folder=tmp_path, stage=stage)


class StoppedError(Exception):
    pass


@pytest.mark.parametrize("stopped_at", [1, 9, 18])
def test_going_on_is_as_not_having_stopped(
    base: BaseModel,
    encode: Callable[[int, int], Encoded],
    stage: Stage,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    stopped_at: int,
) -> None:
    from training.learning import resumption

    monkeypatch.setattr(resumption, "_CHECKPOINT_SECONDS", 0.0)  # after every step
    taken: list[int] = []

    def run(folder: Path, last: int) -> tuple[list[Epoch], torch.Tensor]:
        def advance(steps: int = 1) -> None:
            taken.append(steps)
            if sum(taken) == last:
                raise StoppedError

        taken.clear()
        monkeypatch.setattr(stage, "advance", advance)
        model = build_classifier(base, 3, 1)
        # Six steps an epoch; the best epoch is not the last one.
        settings = recipe(learning_rate=2e-2)
        found = contrast(model, encode(90, 1), encode(30, 2), settings, folder=folder, stage=stage)
        return found, torch.cat([value.flatten() for value in model.state_dict().values()])

    with pytest.raises(StoppedError):
        run(tmp_path / "stopped", stopped_at)
    resumed = run(tmp_path / "stopped", 0)
    # The step that it stopped in was not yet saved; those before it are not taken again.
    assert taken == ([stopped_at - 1] if stopped_at > 1 else []) + [1] * (19 - stopped_at)
    whole = run(tmp_path / "whole", 0)
    assert resumed[0] == whole[0]
    assert torch.equal(resumed[1], whole[1])
