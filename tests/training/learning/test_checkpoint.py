"""What an interrupted training goes on from."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from contracts.task import TrainSpec
from training.learning.base_model import resolve
from training.learning.checkpoint import Checkpoint, Position, fingerprint, load_checkpoint, save_checkpoint
from training.learning.classifier import TextClassifier, build_classifier
from training.learning.finetune import Epoch, fine_tune
from training.progress import Stage

EPOCHS = [Epoch(1, 0.1, 1 / 3, 0.7)]


class StoppedError(Exception):
    pass


def checkpoint() -> Checkpoint:
    tensor = torch.arange(6.0).reshape(2, 3)
    return Checkpoint(
        Position(list(EPOCHS), [0.1, 0.2]),
        {"a.weight": tensor},
        {"a.weight": tensor + 1},
        {"a.weight step": tensor[0].clone()},
    )


def test_it_comes_back_as_it_was_saved(tmp_path: Path) -> None:
    path = tmp_path / "new" / "one.safetensors"
    save_checkpoint(path, checkpoint(), "mark")
    found = load_checkpoint(path, "mark")
    assert found is not None
    assert found.position == Position(list(EPOCHS), [0.1, 0.2])
    for part in ("weights", "best", "moments"):
        expected = getattr(checkpoint(), part)
        assert {name: value.tolist() for name, value in getattr(found, part).items()} == {
            name: value.tolist() for name, value in expected.items()
        }


@pytest.mark.parametrize("keep", [0, 7, 100, -1])
def test_a_damaged_one_is_as_none(tmp_path: Path, keep: int) -> None:
    path = tmp_path / "one.safetensors"
    save_checkpoint(path, checkpoint(), "mark")
    path.write_bytes(path.read_bytes()[:keep])
    assert load_checkpoint(path, "mark") is None


def test_one_whose_position_says_other_things_is_as_none(tmp_path: Path) -> None:
    path = tmp_path / "one.safetensors"
    save_checkpoint(path, checkpoint(), "mark")
    # Of the same length, as the file says how long its head is.
    path.write_bytes(path.read_bytes().replace(b"train_loss", b"other_loss"))
    assert load_checkpoint(path, "mark") is None


def test_that_of_another_training_is_as_none(tmp_path: Path) -> None:
    path = tmp_path / "one.safetensors"
    save_checkpoint(path, checkpoint(), "mark")
    assert load_checkpoint(path, "other") is None
    assert load_checkpoint(tmp_path / "absent", "mark") is None


def test_a_training_is_told_by_recipe_data_and_weights(model: TextClassifier, encode, tiny_base: Path) -> None:
    train, validation, recipe = encode(20, 1), encode(10, 2), TrainSpec()
    mark = fingerprint(model, train, validation, recipe)
    assert mark == fingerprint(
        build_classifier(resolve(str(tiny_base), max_tokens=32), 3, 1), train, validation, recipe
    )
    assert mark != fingerprint(
        build_classifier(resolve(str(tiny_base), max_tokens=32), 3, 2), train, validation, recipe
    )
    assert mark != fingerprint(model, encode(20, 3), validation, recipe)
    assert mark != fingerprint(model, train, validation, recipe.model_copy(update={"epochs": 6}))


@pytest.mark.parametrize("stopped_after", [1, 2, 3])
def test_going_on_is_as_not_having_stopped(
    tiny_base: Path, encode, stage: Stage, tmp_path: Path, stopped_after: int
) -> None:
    recipe = TrainSpec(epochs=3, batch_size=16, learning_rate=5e-3, seed=3, patience=9)

    def run(folder: Path, last: int) -> tuple[list[Epoch], torch.Tensor]:
        folder.mkdir(exist_ok=True)
        model = build_classifier(resolve(str(tiny_base), max_tokens=32), 3, 1)

        def watch(epoch: Epoch) -> None:
            if epoch.number == last:
                raise StoppedError

        found = fine_tune(model, encode(64, 1), encode(32, 2), recipe, folder=folder, stage=stage, watch=watch)
        return found, torch.cat([value.flatten() for value in model.state_dict().values()])

    with pytest.raises(StoppedError):
        run(tmp_path / "stopped", stopped_after)
    assert len(list((tmp_path / "stopped").iterdir())) == 1
    resumed, whole = run(tmp_path / "stopped", 0), run(tmp_path / "whole", 0)
    assert resumed[0] == whole[0]
    assert torch.equal(resumed[1], whole[1])


def test_an_epoch_under_way_is_gone_on_with(
    model: TextClassifier, tiny_base: Path, encode, stage: Stage, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from training.learning import resumption

    recipe = TrainSpec(epochs=2, batch_size=16, learning_rate=5e-3, seed=3)
    train, validation = encode(64, 1), encode(32, 2)
    whole = fine_tune(model, train, validation, recipe, folder=tmp_path / "whole", stage=stage)
    monkeypatch.setattr(resumption, "_CHECKPOINT_SECONDS", 0.0)  # after every step
    taken = []
    advance = stage.advance

    def stop(steps: int = 1) -> None:
        taken.append(steps)
        if sum(taken) == 7:  # the third step of the second epoch
            raise StoppedError
        advance(steps)

    monkeypatch.setattr(stage, "advance", stop)
    again = build_classifier(resolve(str(tiny_base), max_tokens=32), 3, 1)
    with pytest.raises(StoppedError):
        fine_tune(again, train, validation, recipe, folder=tmp_path / "stopped", stage=stage)
    taken.clear()
    third = build_classifier(resolve(str(tiny_base), max_tokens=32), 3, 1)
    monkeypatch.setattr(stage, "advance", lambda steps=1: taken.append(steps))
    resumed = fine_tune(third, train, validation, recipe, folder=tmp_path / "stopped", stage=stage)
    assert resumed == whole
    assert taken == [6, 1, 1]
