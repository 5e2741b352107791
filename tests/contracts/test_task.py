"""A task file is read whole, or the error names the field and says what is expected."""

from __future__ import annotations

from pathlib import Path

import pytest

from contracts.errors import TaskSpecError
from contracts.task import DataSpec, TaskSpec, load_task

ROOT = Path(__file__).parents[2]
WHOLE = 'schema = 1\nname = "support"\n[data]\npath = "data.csv"\n'


def load(tmp_path: Path, content: str, **environment: str) -> TaskSpec:
    path = tmp_path / "task.toml"
    path.write_text(content, encoding="utf-8")
    return load_task(path, environment)


def test_the_least_that_must_be_there(tmp_path: Path) -> None:
    spec = load(tmp_path, 'name = "support"\n[data]\npath = "sub/../data.csv"\n')
    assert spec.data.path == str(tmp_path / "data.csv")
    assert spec == TaskSpec(name="support", data=DataSpec(path=str(tmp_path / "data.csv")))


def test_paths_are_relative_to_the_file_and_filled_from_the_environment(tmp_path: Path) -> None:
    data = '[data]\ntrain = "$DATA/a.csv"\nvalidation = "${DATA}/b.csv"\ntest = "hf:bank/ing@test"\n'
    spec = load(tmp_path, f'name = "support"\n{data}', DATA="/somewhere")
    assert (spec.data.train, spec.data.validation) == ("/somewhere/a.csv", "/somewhere/b.csv")
    assert spec.data.test == "hf:bank/ing@test"
    assert spec.data.path is None


@pytest.mark.parametrize(
    ("content", "named"),
    [
        ('name = "support"\n', ["data", "Field required"]),
        ('[data]\npath = "a.csv"\n', ["name", "Field required"]),
        ('name = "Support Team"\n[data]\npath = "a.csv"\n', ["name", "Support Team", "lower-case letters"]),
        ('name = "../x"\n[data]\npath = "a.csv"\n', ["name", "../x"]),
        (f'kind = "ranking"\n{WHOLE}', ["kind", "'classification'", "ranking"]),
        (WHOLE.replace("1", "2", 1), ["schema", "found 2"]),
        (f"{WHOLE}[train]\nepoch = 3\n", ["train.epoch:", "found 3", "did you mean `epochs`?"]),
        (f"{WHOLE}[train.lora]\nranks = 3\n", ["train.lora.ranks:", "did you mean `rank`?"]),
        (f"{WHOLE}multi_label = true\n", ["data.multi_label:", "belongs above all tables"]),
        (f"{WHOLE}max_tokens = 9\n", ["data.max_tokens:", "belongs in [model]"]),
        (f"schemes = 1\n{WHOLE}", ["schemes:", "did you mean `schema`?"]),
        (f"{WHOLE}zzz = 1\n", ["data.zzz: unknown (found 1). See"]),
        (f"{WHOLE}[train]\nepochs = 0\n", ["train.epochs", "greater than or equal to 1", "found 0"]),
        (f'{WHOLE}[train]\nepochs = "many"\n', ["train.epochs", "integer", "many"]),
        (f"{WHOLE}[train]\nlearning_rate = nan\n", ["train.learning_rate"]),
        (f"{WHOLE}[train]\nlearning_rate = -1.0\n", ["train.learning_rate", "-1.0"]),
        (f"{WHOLE}[model]\nmax_tokens = 100000\n", ["model.max_tokens", "512"]),
        (f"{WHOLE}[gate]\nmin_accuracy = 92\n", ["gate.min_accuracy", "found 92"]),
        (f"{WHOLE}[monitor]\nwindow = 50\nmin_window = 60\n", ["monitor", "`min_window`"]),
        (f"{WHOLE}[gates]\nmin_accuracy = 0.9\n", ["gates:", "did you mean `gate`?"]),
        (f'{WHOLE}train = "b.csv"\n', ["data", "either `path`"]),
        (f'{WHOLE}test = "b.csv"\n', ["data", "go with `train`"]),
        (f"{WHOLE}split = [0.5, 0.5, 0.5]\n", ["data", "sum to 1"]),
        (f"{WHOLE}split = [1.0, 0.0, 0.0]\n", ["data", "positive shares"]),
        (f"{WHOLE}split = [0.8, 0.2]\n", ["data.split.2"]),
        ('name = "support"\n[data]\n', ["data", "either `path`"]),
        (WHOLE.replace("data.csv", "$NOWHERE/data.csv"), ["$NOWHERE/data.csv", "not set", "NOWHERE"]),
        (WHOLE.replace("data.csv", "$/data.csv"), ["$/data.csv"]),
        ('name = "support\n', ["not valid TOML", "line 1"]),
        ('name = "support"\nname = "again"\n', ["not valid TOML"]),
        ("", ["name", "data"]),
    ],
)
def test_an_error_names_file_field_and_finding(tmp_path: Path, content: str, named: list[str]) -> None:
    with pytest.raises(TaskSpecError) as caught:
        load(tmp_path, content)
    told = str(caught.value)
    assert str(tmp_path / "task.toml") in told
    assert [part for part in named if part not in told] == []


def test_all_problems_are_told_at_once(tmp_path: Path) -> None:
    with pytest.raises(TaskSpecError) as caught:
        load(tmp_path, f"{WHOLE}[train]\nepochs = 0\nbatch_size = 0\n[limits]\nmax_instances = 0\n")
    for field in ("train.epochs", "train.batch_size", "limits.max_instances"):
        assert field in str(caught.value)


def test_a_file_that_cannot_be_read(tmp_path: Path) -> None:
    with pytest.raises(TaskSpecError, match="no such file"):
        load_task(tmp_path / "none.toml", {})
    with pytest.raises(TaskSpecError, match="cannot be read"):
        load_task(tmp_path, {})
    (tmp_path / "a.toml").write_bytes('name = "größe"'.encode("latin-1"))
    with pytest.raises(TaskSpecError, match="UTF-8"):
        load_task(tmp_path / "a.toml", {})


@pytest.mark.parametrize("path", sorted((ROOT / "tasks").glob("*.toml")), ids=lambda path: path.stem)
def test_the_tasks_that_come_with_the_product_are_whole(path: Path) -> None:
    spec = load_task(path, {"PERENNIAL_DATA": "/data"})
    assert spec.name == path.stem
    if spec.kind == "classification":
        assert spec.gate.min_accuracy > 0.5


def test_the_figures_that_the_product_promises_are_its_gates() -> None:
    gates = {
        name: load_task(ROOT / f"tasks/{name}.toml", {"PERENNIAL_DATA": "/data"}) for name in ("banking77", "clinc150")
    }
    assert gates["banking77"].gate.min_accuracy >= 0.92
    assert gates["clinc150"].gate.min_accuracy >= 0.95
    assert gates["clinc150"].data.ignore_labels == ("oos",)


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ('[train]\nepochs = "3"', "train.epochs"),
        ("[train]\nepochs = true", "train.epochs"),
        ("[train]\nlearning_rate = 1979-05-27", "train.learning_rate"),
        ('[data]\npath = ""', "path is empty"),
        ('[data]\npath = "a\\u0000b.csv"', "no path"),
        ('[data]\npath = "a.csv"\nlabel_column = "text"', "two columns"),
        ("x = " + "[" * 5000 + "]" * 5000, "not valid TOML"),
        ("x = " + "9" * 5000, "not valid TOML"),
        ('[data]\npath = "' + "x" * 50 + '"\nunknown = "' + "y" * 9000 + '"', "unknown"),
    ],
)
def test_what_is_no_task_is_told_in_a_few_words(tmp_path: Path, line: str, expected: str) -> None:
    data = "" if "[data]" in line else '[data]\npath = "a.csv"\n'
    top = line if line.startswith("x = ") else ""
    (tmp_path / "task.toml").write_text(
        f'schema = 1\nname = "a"\n{top}\n{data}{"" if top else line}\n', encoding="utf-8"
    )
    with pytest.raises(TaskSpecError) as told:
        load_task(tmp_path / "task.toml", {})
    assert expected in str(told.value)
    assert len(str(told.value)) < 1000
