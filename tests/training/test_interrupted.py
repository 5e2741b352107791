"""A training that is killed, or finds no room, and what the next one makes of it."""

from __future__ import annotations

import json
import os
import resource
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from contracts.errors import GateRefusedError, TrainingError
from contracts.home import Home
from contracts.release import METRICS_FILE, MODEL_FILE, Manifest
from contracts.release_store import list_versions
from contracts.task import load_task
from training.pipeline import train

TaskFile = Callable[..., Path]
_PATIENCE_SECONDS = 300  # a busy machine is no defect


def checkpoints(home: Home) -> list[Path]:
    return list(home.training("support").glob("*/checkpoint-*.safetensors"))


def start(task: Path, home: Home) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "cli.main", "train", str(task), "--home", str(home.root), "--json"]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


# Enough for a signal to come before the last.
EPOCHS = 15
ADAPT = f'[adapt]\nsource = "train"\nepochs = {EPOCHS}\nlearning_rate = 5e-3\n'
# What [train] holds, what else the task file does, and how an epoch's line begins in the part that is interrupted.
RECIPES: dict[str, tuple[dict[str, object], str, str]] = {
    "fine-tune": ({"epochs": EPOCHS}, "", f"  epoch {{}}/{EPOCHS}: loss "),
    "contrastive": ({"epochs": EPOCHS, "recipe": "contrastive"}, "", f"  epoch {{}}/{EPOCHS}: contrastive loss "),
    "adaptation": ({"epochs": 2}, ADAPT, f"  epoch {{}}/{EPOCHS}: loss on held-out texts "),
}


@pytest.mark.timeout(3 * _PATIENCE_SECONDS)
@pytest.mark.parametrize("name", RECIPES)
def test_a_killed_training_goes_on_to_the_same_release(
    name: str, task_file: TaskFile, home: Home, tmp_path: Path
) -> None:
    settings, more, told_as = RECIPES[name]
    task = task_file(**settings)
    task.write_text(task.read_text() + more)
    killed = start(task, home)
    until = time.monotonic() + _PATIENCE_SECONDS
    while not checkpoints(home) and killed.poll() is None and time.monotonic() < until:
        time.sleep(0.005)
    os.kill(killed.pid, signal.SIGKILL)
    assert killed.wait() == -signal.SIGKILL
    assert list_versions(home, "support") == []
    assert len(checkpoints(home)) == 1

    again = start(task, home)
    _, before = killed.communicate()
    _, told = again.communicate(timeout=_PATIENCE_SECONDS)
    assert again.returncode == 0, told
    assert "going on from step" in told
    ran = [[told_as.format(number) in output for number in range(1, EPOCHS + 1)] for output in (before, told)]
    assert ran[0][0]
    assert not ran[0][-1]
    assert ran[1][-1]
    # An epoch is told before its checkpoint is written: of those that both ran, there is one at the most.
    assert sum(one and other for one, other in zip(*ran, strict=True)) <= 1
    whole = Home(tmp_path / "whole")
    uninterrupted = train(whole, load_task(task, {}))
    resumed = Manifest.model_validate_json((home.release("support", "0001") / "manifest.json").read_bytes())
    assert resumed.files[MODEL_FILE] == uninterrupted.files[MODEL_FILE]
    assert epochs(home) == epochs(whole)
    assert not checkpoints(home)


@contextmanager
def no_file_above(size: int) -> Iterator[None]:
    """A file that may not grow fails as one on a full disk does: with an OSError in the middle of a write."""
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, limits[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
        signal.signal(signal.SIGXFSZ, handler)


def epochs(home: Home) -> object:
    return json.loads((home.release("support", "0001") / METRICS_FILE).read_text())["epochs"]


def test_the_same_seed_gives_the_same_digest(task_file: TaskFile, tmp_path: Path) -> None:
    digests = []
    for name, seed in (("one", 13), ("two", 13), ("other", 14)):
        manifest = train(Home(tmp_path / name), load_task(task_file(f"{name}.toml", epochs=2, seed=seed), {}))
        digests.append(manifest.files[MODEL_FILE].sha256)
    assert digests[0] == digests[1]
    assert digests[0] != digests[2]


def test_after_a_loss_that_is_no_number_the_last_checkpoint_is_still_there(
    task_file: TaskFile, home: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    from training.learning import step

    spec = load_task(task_file(epochs=4), {})
    factor = step.rate_factor
    # A rate as a mistaken setting would have it, from the second epoch on.
    monkeypatch.setattr(step, "rate_factor", lambda at, total, **rest: 1e30 if at > 15 else factor(at, total, **rest))
    with pytest.raises(TrainingError, match=r"at step 1\d: the (loss|norm of the gradient) is (nan|inf)"):
        train(home, spec)
    assert len(checkpoints(home)) == 1
    assert list_versions(home, "support") == []
    assert not list(home.releases("support").glob(".staging*/"))


def test_a_full_disk_is_told_and_nothing_is_half_published(task_file: TaskFile, home: Home) -> None:
    spec = load_task(task_file(), {})
    with (
        no_file_above(60_000),
        pytest.raises(TrainingError, match=r"checkpoint .* written \(File too large\)"),
    ):
        train(home, spec)
    assert list_versions(home, "support") == []
    assert checkpoints(home) == []
    assert train(home, spec).version == "0001"


def test_a_disk_that_is_full_after_training_is_told_too(task_file: TaskFile, home: Home) -> None:
    path = task_file(epochs=1)
    spec = load_task(path, {})
    strict = spec.model_copy(update={"gate": spec.gate.model_copy(update={"min_accuracy": 1.0, "min_macro_f1": 1.0})})
    with pytest.raises(GateRefusedError):
        train(home, strict)
    with no_file_above(40_000), pytest.raises(TrainingError, match=r"no room left under .*Nothing was published"):
        train(home, spec)
    assert list_versions(home, "support") == []
    assert len(checkpoints(home)) == 1
    assert train(home, spec).version == "0001"
