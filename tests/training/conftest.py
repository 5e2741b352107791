"""A tiny task on real files, and one release trained from it, shared by the tests of the model half."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from contracts.home import Home
from contracts.release import Manifest
from contracts.task import DataSpec, GateSpec, ModelSpec, PruneSpec, RetrainSpec, TaskSpec, TrainSpec

TinyRows = Callable[[int, int], list[tuple[str, str]]]


@pytest.fixture(scope="session")
def write_rows() -> Callable[[Path, Sequence[tuple[str, str]]], Path]:
    """Write (text, label) pairs as a CSV file; a pair that stands twice is written once."""

    def write(path: Path, rows: Sequence[tuple[str, str]]) -> Path:
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("w", newline="", encoding="utf-8") as file:
            csv.writer(file).writerows([("text", "label"), *dict.fromkeys(rows)])
        return path

    return write


@pytest.fixture(scope="session")
def tiny_spec(
    tiny_base: Path,
    tiny_rows: TinyRows,
    write_rows: Callable[[Path, Sequence[tuple[str, str]]], Path],
    tmp_path_factory: pytest.TempPathFactory,
) -> Callable[..., TaskSpec]:
    """A task over a CSV file of its own; parts of the spec can be replaced."""

    def make(
        *,
        rows: int = 360,
        data: Path | None = None,
        base: Path | None = None,
        epochs: int = 4,
        seed: int = 13,
        gate: GateSpec | None = None,
        prune: PruneSpec | None = None,
        retrain: RetrainSpec | None = None,
        freeze_layers: int = 0,
        learning_rate: float = 5e-3,
    ) -> TaskSpec:
        path = data or write_rows(tmp_path_factory.mktemp("data") / "rows.csv", tiny_rows(rows, 1))
        return TaskSpec(
            name="support",
            data=DataSpec(path=str(path)),
            model=ModelSpec(
                base=str(base or tiny_base), max_tokens=32, freeze_embeddings=False, freeze_layers=freeze_layers
            ),
            train=TrainSpec(epochs=epochs, batch_size=16, learning_rate=learning_rate, patience=epochs, seed=seed),
            gate=gate or GateSpec(max_quantization_drop=0.1),
            prune=prune or PruneSpec(),
            retrain=retrain or RetrainSpec(epochs=2),
        )

    return make


@pytest.fixture(scope="session")
def trained(tiny_spec: Callable[..., TaskSpec], tmp_path_factory: pytest.TempPathFactory) -> tuple[Home, Manifest]:
    """A home with one trained release; read it, do not change it."""
    from training.pipeline import train

    home = Home(tmp_path_factory.mktemp("trained"))
    return home, train(home, tiny_spec(gate=GateSpec(min_accuracy=0.8, max_quantization_drop=0.1)))


@pytest.fixture
def task_file(
    tiny_base: Path,
    tiny_rows: TinyRows,
    write_rows: Callable[[Path, Sequence[tuple[str, str]]], Path],
    tmp_path: Path,
) -> Callable[..., Path]:
    """The tiny task as a TOML file, for processes of their own; `train` is what [train] holds beside the defaults."""

    def make(name: str = "task.toml", **train: object) -> Path:
        rows = write_rows(tmp_path / "rows.csv", tiny_rows(240, 1))
        recipe = {"epochs": 4, "patience": 100, "batch_size": 16, "learning_rate": 5e-3, **train}
        path = tmp_path / name
        path.write_text(
            f'name = "support"\n[data]\npath = "{rows}"\n'
            f'[model]\nbase = "{tiny_base}"\nmax_tokens = 32\nfreeze_embeddings = false\n'
            f"[train]\n{chr(10).join(f'{key} = {json.dumps(value)}' for key, value in recipe.items())}\n"
            "[gate]\nmax_quantization_drop = 0.2\n"
        )
        return path

    return make
