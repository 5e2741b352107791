"""Two processes that train one model, as `torchrun` and `accelerate launch` start them."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from contracts.home import Home
from contracts.release import METRICS_FILE
from contracts.release_store import list_versions, verify_release
from contracts.rollout import read_rollout
from contracts.task import load_task
from training.pipeline import train

TaskFile = Callable[..., Path]
LAUNCHERS = {
    "torchrun": ["torch.distributed.run", "--standalone", "--nproc-per-node", "2"],
    "accelerate": [
        *["accelerate.commands.launch", "--cpu", "--num_processes", "2", "--num_machines", "1"],
        *["--mixed_precision", "no", "--dynamo_backend", "no", "--main_process_port", "0"],
    ],
}


def launch(launcher: str, task: Path, home: Home) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", *LAUNCHERS[launcher], "-m", "cli.main", "train", str(task), "--home", str(home.root)],
        capture_output=True,
        text=True,
        timeout=240,
        check=False,
        env={**os.environ, "OMP_NUM_THREADS": "1", "CUDA_VISIBLE_DEVICES": ""},  # NCCL wants a card for each
    )


def epochs(home: Home) -> list[dict[str, float]]:
    found: list[dict[str, float]] = json.loads((home.release("support", "0001") / METRICS_FILE).read_text())["epochs"]
    return found


def adaptation(home: Home) -> dict[str, float]:
    content = json.loads((home.release("support", "0001") / METRICS_FILE).read_text())
    found: dict[str, float] = content["adaptation"]
    return found


@pytest.mark.parametrize("launcher", LAUNCHERS)
def test_two_processes_learn_what_one_learns_and_one_of_them_publishes(
    launcher: str, task_file: TaskFile, home: Home, tmp_path: Path
) -> None:
    task = task_file(dropout=0.0, precision="fp32")
    done = launch(launcher, task, home)
    assert done.returncode == 0, done.stderr
    assert list_versions(home, "support") == ["0001"]
    verify_release(home, "support", "0001")
    rollout = read_rollout(home, "support")
    assert rollout is not None
    assert rollout.stable == "0001"
    assert len([line for line in done.stdout.splitlines() if "(stable)" in line]) == 1
    assert done.stderr.count("Reading the data") == 1

    alone = Home(tmp_path / "alone")
    train(alone, load_task(task, {}))
    for one, two in zip(epochs(alone), epochs(home), strict=True):
        assert two["train_loss"] == pytest.approx(one["train_loss"], rel=0.02)
        assert two["validation_loss"] == pytest.approx(one["validation_loss"], rel=0.02)


def test_adaptation_and_few_labels_are_shared_too(
    task_file: TaskFile, tiny_base: Path, home: Home, tmp_path: Path
) -> None:
    base = tmp_path / "base"
    shutil.copytree(tiny_base, base)
    config = json.loads((base / "config.json").read_text())
    without = {"hidden_dropout_prob": 0.0, "attention_probs_dropout_prob": 0.0}
    (base / "config.json").write_text(json.dumps(config | without))
    # The last batch of an epoch of pairs is of one pair, and that of an epoch of adaptation of few texts.
    task = task_file(recipe="contrastive", dropout=0.0, precision="fp32", batch_size=30)
    adapt = '[adapt]\nsource = "train"\nepochs = 2\nbatch_size = 30\nlearning_rate = 5e-3\n'
    task.write_text(task.read_text().replace(str(tiny_base), str(base)) + adapt)
    done = launch("torchrun", task, home)
    assert done.returncode == 0, done.stderr
    alone = Home(tmp_path / "alone")
    train(alone, load_task(task, {}))
    for one, two in zip(epochs(alone), epochs(home), strict=True):
        assert two["train_loss"] == pytest.approx(one["train_loss"], rel=0.02)
        assert two["validation_loss"] == pytest.approx(one["validation_loss"], rel=0.02)
    for name in ("loss_before", "loss_after"):
        assert adaptation(home)[name] == pytest.approx(adaptation(alone)[name], rel=0.005)


def test_what_the_gate_refuses_ends_every_process(task_file: TaskFile, home: Home) -> None:
    task = task_file(epochs=1)
    task.write_text(task.read_text() + "min_accuracy = 1.0\nmin_macro_f1 = 1.0\n")
    task.write_text(task.read_text().replace("learning_rate = 0.005", "learning_rate = 1e-6"))
    done = launch("torchrun", task, home)
    assert done.returncode != 0
    assert "did not pass its gate" in done.stderr
    assert list_versions(home, "support") == []
