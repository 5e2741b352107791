"""Real studies of tiny trainings: what is drawn, stopped, gone on with, shared between processes and told."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
import tomllib
from collections.abc import Callable
from pathlib import Path

import optuna
import pytest

from contracts.errors import TaskSpecError
from contracts.home import Home
from contracts.recipes import SearchSpec
from contracts.task import TaskSpec, load_task
from training.recipes.search_space import drawn
from training.recipes.study_page import study_html
from training.recipes.study_section import study_section
from training.recipes.trial_settings import applied, snippet
from training.recipes.trials import Tried, best_of
from training.tuning import tune

TASK = """
schema = 1
name = "support"
[data]
path = "{data}"
[model]
base = "{base}"
max_tokens = 32
[train]
epochs = 2
batch_size = 16
[search]
learning_rate = [1e-5, 1e-2]
epochs = [1, 2]
batch_size = [16, 32]
startup_trials = 2
"""


@pytest.fixture
def task_file(tiny_base: Path, tiny_rows: Callable, write_rows: Callable, tmp_path: Path) -> Path:
    data = write_rows(tmp_path / "rows.csv", tiny_rows(90, 1))
    path = tmp_path / "support.toml"
    path.write_text(TASK.format(data=data, base=tiny_base))
    return path


@pytest.fixture
def spec(task_file: Path) -> TaskSpec:
    return load_task(task_file, {})


@pytest.mark.parametrize("kind", ["classification", "question-answering", "similarity"])
def test_what_is_drawn_is_what_a_task_file_of_that_kind_may_say(spec: TaskSpec, kind: str) -> None:
    settings = {"learning_rate": 1e-3, "epochs": 1, "batch_size": 16, "freeze_layers": 0, "label_smoothing": 0.1}
    chosen = drawn(optuna.trial.FixedTrial(settings), spec.model_copy(update={"kind": kind}), 2)
    tried = applied(spec.model_copy(update={"kind": kind}), chosen)
    assert TaskSpec.model_validate(tried.model_dump(by_alias=True)) == tried
    assert ("label_smoothing" in chosen) == (kind != "similarity")


def test_a_study_finds_settings_that_train_as_the_trial_did(home: Home, spec: TaskSpec) -> None:
    from training.pipeline import train

    found = tune(home, spec, trials=4)
    assert [one.number for one in found.tried] == [0, 1, 2, 3]
    best = found.best
    assert best is not None
    assert best.value == max(one.value for one in found.tried if one.state == "complete")
    chosen = tomllib.loads(found.snippet.read_text())
    assert set(chosen["train"]) == {"learning_rate", "epochs", "batch_size", "label_smoothing"}
    assert set(chosen["model"]) == {"freeze_layers"}
    for one in found.tried:
        assert 1e-5 <= one.settings["learning_rate"] <= 1e-2
        assert one.settings["batch_size"] in (16, 32)
        assert len(one.scores) <= one.settings["epochs"] <= 2
    page = found.page.read_text()
    assert page.count("<svg") >= 2
    assert "src=" not in page
    # What goes into the task file trains to the very score that the study was told.
    settings = spec.model_copy(
        update={
            "train": spec.train.model_copy(update=chosen["train"]),
            "model": spec.model.model_copy(update=chosen["model"]),
            "gate": spec.gate.model_copy(update={"max_quantization_drop": 1.0}),
        }
    )
    manifest = train(home, settings)
    epochs = json.loads((home.release("support", manifest.version) / "metrics.json").read_text())["epochs"]
    assert max(epoch["validation_score"] for epoch in epochs) == pytest.approx(best.value)
    report = (home.release("support", manifest.version) / "report.html").read_text()
    assert f"The settings are those of trial {best.number} of 4" in report
    assert study_section(home, spec) is None
    (found.folder / "trials.json").write_text("{")
    assert study_section(home, settings) is None


def test_a_study_is_gone_on_with_and_never_draws_the_same_again(home: Home, spec: TaskSpec) -> None:
    first = tune(home, spec, trials=2)
    assert tune(home, spec, trials=2).tried == first.tried
    further = tune(home, spec, trials=4)
    assert further.tried[:2] == first.tried
    rates = [one.settings["learning_rate"] for one in further.tried]
    assert len(set(rates)) == 4
    # Another search space is another study, in the same file.
    wider = spec.model_copy(update={"search": spec.search.model_copy(update={"epochs": (1, 1)})})
    assert len(tune(home, wider, trials=1).tried) == 1


def test_the_same_study_from_the_start_is_the_same(tmp_path: Path, spec: TaskSpec) -> None:
    studies = [tune(Home(tmp_path / name), spec, trials=3) for name in ("one", "two")]
    kept = [[(one.settings, one.value, one.state) for one in study.tried] for study in studies]
    assert kept[0] == kept[1]


def test_poor_trials_are_stopped_after_an_epoch(home: Home, spec: TaskSpec) -> None:
    """The first two learn and are never stopped; then comes one whose rate is too low to learn anything."""
    from training.data.dataset import load_dataset
    from training.feasibility import check_feasible
    from training.recipes.search import _open_study

    space = SearchSpec(
        learning_rate=(1e-9, 1e-2), epochs=(3, 3), batch_size=(16,), freeze_layers=(0, 0), startup_trials=2
    )
    spec = spec.model_copy(update={"search": space})
    folder = home.root / "studies" / "support"
    folder.mkdir(parents=True)
    study = _open_study(folder, spec, check_feasible(spec), load_dataset(spec))
    settings = {"epochs": 3, "batch_size": 16, "freeze_layers": 0, "label_smoothing": 0.0}
    for rate in (1e-2, 8e-3, 1e-9):
        study.enqueue_trial({"learning_rate": rate} | settings)
    found = tune(home, spec, trials=3)
    assert [one.state for one in found.tried] == ["complete", "complete", "pruned"]
    assert len(found.tried[2].scores) < 3
    assert found.best is not None
    assert found.best.number < 2


def test_time_ends_it_and_a_training_that_fails_is_a_finding(home: Home, spec: TaskSpec) -> None:
    assert tune(home, spec, trials=9, minutes=1e-9).tried == ()
    space = spec.search.model_copy(update={"learning_rate": (1.0, 1.0), "epochs": (2, 2)})
    wild = spec.model_copy(update={"search": space, "train": spec.train.model_copy(update={"weight_decay": 1e38})})
    found = tune(home, wild, trials=1)
    assert [one.state for one in found.tried] == ["failed"]
    assert "expected a finite number" in str(found.tried[0].error)
    assert found.best is None
    assert not found.snippet.exists()
    assert "None is complete yet" in found.page.read_text()


def test_two_processes_work_on_one_study_and_a_killed_one_spoils_nothing(home: Home, task_file: Path) -> None:
    command = [sys.executable, "-m", "cli.main", "tune", str(task_file), "--trials", "6", "--json"]
    command += ["--home", str(home.root)]
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    workers = [subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=environment) for _ in "ab"]
    victim = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True, env=environment)
    try:
        assert victim.stderr is not None
        deadline = time.monotonic() + 120
        for line in victim.stderr:
            assert time.monotonic() < deadline
            if line.strip().startswith("trial "):
                break
    finally:
        os.kill(victim.pid, signal.SIGKILL)
        victim.communicate()
    told = [json.loads(worker.communicate(timeout=200)[0]) for worker in workers]
    for one in told:
        # The two may both begin their last trial when one was missing.
        assert 6 <= len(one["trials"]) <= 8
        assert len({json.dumps(trial["settings"], sort_keys=True) for trial in one["trials"]}) == len(one["trials"])
    again = subprocess.run(command, capture_output=True, text=True, timeout=120, check=True, env=environment)
    assert json.loads(again.stdout)["best"]["state"] == "complete"


def test_settings_are_written_as_they_are_applied(spec: TaskSpec) -> None:
    chosen = {"learning_rate": 0.00012345678, "epochs": 4, "batch_size": 16, "freeze_layers": 1}
    tried = applied(spec, chosen)
    written = tomllib.loads(snippet(chosen, "why"))
    assert tried.train.learning_rate == written["train"]["learning_rate"] == 0.000123
    assert (tried.train.epochs, tried.model.freeze_layers) == (4, 1)
    assert isinstance(tried.train.epochs, int)


def test_the_page_escapes_and_copes_with_little() -> None:
    lone = Tried(0, "complete", 0.5, {"epochs": 2}, (0.4, 0.5), 1.0)
    assert best_of([lone, Tried(1, "complete", 0.5, {}, (), 1.0), Tried(2, "pruned", 0.9, {}, (), 1.0)]) == lone
    page = study_html("support", "<b>F1</b>", [lone], "# <i>")
    assert "&lt;b&gt;F1" in page
    assert "<b>F1" not in page
    assert "# &lt;i&gt;" in page
    assert "None is complete" in study_html("support", "accuracy", [], "")
    worse = Tried(0, "complete", -0.02, {"epochs": 2}, (-0.02,), 1.0)
    assert "<svg" in study_html("support", "rank correlation", [worse], "")


@pytest.mark.parametrize(
    ("line", "told"),
    [
        ("learning_rate = [1e-2, 1e-5]", "learning_rate` is .lowest, highest."),
        ("epochs = [0, 5]", "epochs` is .lowest, highest."),
        ("label_smoothing = [0.0, 1.0]", "stays below 1"),
        ("batch_size = [0]", "sizes from 1"),
        ("batch_size = []", "batch_size"),
    ],
)
def test_a_search_space_that_makes_no_sense_is_refused(task_file: Path, line: str, told: str) -> None:
    name = line.split(" ")[0]
    kept = [one for one in task_file.read_text().splitlines() if name not in one or "[search]" in one]
    task_file.write_text("\n".join([*kept, line]) + "\n")
    with pytest.raises(TaskSpecError, match=told):
        load_task(task_file, {})


def test_optuna_stays_out_of_a_plain_training() -> None:
    code = "import sys, training.pipeline; sys.exit('optuna' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
    assert optuna.__version__
