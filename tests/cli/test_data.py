"""`perennial data` says what the data is like, for people and for machines, and what is wrong with it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from cli.main import main


@pytest.fixture
def task(tmp_path: Path) -> Path:
    rows = [f"where is parcel {n},delivery\nmy invoice {n} is wrong,billing" for n in range(20)]
    (tmp_path / "rows.csv").write_text("\n".join(["text,label", *rows, "where is parcel 1,delivery"]) + "\n")
    path = tmp_path / "task.toml"
    path.write_text('schema = 1\nname = "support"\n[data]\npath = "rows.csv"\n')
    return path


def test_tables(task: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["data", str(task)]) == 0
    told = capsys.readouterr().out
    assert "support (classification)" in told
    assert [line.split() for line in told.splitlines() if line.startswith("billing")] == [["billing", "14", "3", "3"]]
    assert "1 of train (duplicate)" in told
    assert "Latin 100.0%" in told
    assert "warning: Exact duplicates" in told


def test_json(task: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["data", str(task), "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert (told["task"], told["splits"][0]["rows"], told["conflicts"]) == ("support", 28, 0)
    assert told["labels"][0] == {"name": "billing", "train": 14, "validation": 3, "test": 3}
    assert told["left_out"] == [{"split": "train", "reason": "duplicate", "rows": 1}]
    assert len(told["fingerprint"]) == 64


def test_bad_data_is_an_error(task: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (task.parent / "rows.csv").write_text("text,label\nhello,\n")
    assert main(["data", str(task)]) == 1
    assert "line 2: the label is empty" in " ".join(capsys.readouterr().err.split())
