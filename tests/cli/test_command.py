"""The command line itself: exit codes, help, and errors that say what to do."""

from __future__ import annotations

import socket
import subprocess
import sys
from pathlib import Path

import pytest

from cli.main import VERBS, main
from contracts.files import locked
from contracts.home import Home


@pytest.mark.parametrize("verb", sorted(VERBS))
def test_every_verb_explains_itself(verb: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main([verb, "--help"])
    assert ended.value.code == 0
    assert f"perennial {verb}" in capsys.readouterr().out


def test_a_wrong_command_line_exits_with_2(capsys: pytest.CaptureFixture[str]) -> None:
    for words in ([], ["nothing"], ["train"], ["replay"]):
        with pytest.raises(SystemExit) as ended:
            main(words)
        assert ended.value.code == 2
    assert "usage: perennial" in capsys.readouterr().err


def test_a_missing_task_file_is_an_error_with_a_remedy(home: Home, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["train", "no-such.toml", "--home", str(home.root)]) == 1
    error = capsys.readouterr().err
    assert "no such file" in error
    assert "TOML" in error


def test_a_home_that_is_a_file_or_a_url_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "file").touch()
    assert main(["releases", "--home", str(tmp_path / "file")]) == 1
    assert "a folder, not a file" in capsys.readouterr().err
    assert main(["releases", "--home", "s3://bucket/home"]) == 1
    assert "not supported yet" in capsys.readouterr().err


def test_replay_without_a_service_says_how_to_start_one(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "texts.csv").write_text("text,label\nhello there,a\nsome more,b\n")
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{probe.getsockname()[1]}"
        assert main(["replay", str(tmp_path / "texts.csv"), "--task", "support", "--url", url]) == 1
    assert "perennial up" in capsys.readouterr().err


def test_replay_refuses_senseless_options(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "texts.csv").write_text("text,label\nhello there,a\n")
    words = ["replay", str(tmp_path / "texts.csv"), "--task", "support"]
    for wrong in (["--feedback", "2"], ["--concurrency", "0"], ["--rate", "0"]):
        assert main([*words, *wrong]) == 1
        assert "--feedback is a share" in capsys.readouterr().err


def test_up_refuses_a_taken_port_and_a_second_up(home: Home, capsys: pytest.CaptureFixture[str]) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = str(taken.getsockname()[1])
        assert main(["up", "--home", str(home.root), "--port", port]) == 1
    assert "Name another: --port" in capsys.readouterr().err
    with locked(home.root / "up.lock"):
        assert main(["up", "--home", str(home.root)]) == 1
    assert "Another `perennial up`" in capsys.readouterr().err


def test_a_reader_that_goes_away_is_no_error(home: Home) -> None:
    command = f"{sys.executable} -m cli.main releases --home {home.root} | true"
    done = subprocess.run(["sh", "-c", command], capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == 0
    assert "Traceback" not in done.stderr


def test_the_command_loads_no_framework_before_it_knows_the_verb() -> None:
    program = (
        "import sys, cli.main; print(sorted({'torch', 'transformers', 'bentoml', 'evidently'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True, timeout=60)
    assert done.stdout.strip() == "[]"


@pytest.mark.parametrize("verb", ["serve", "up"])
def test_senseless_numbers_of_workers_are_refused(verb: str, home: Home, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([verb, "--workers", "0", "--home", str(home.root)]) == 1
    assert "PERENNIAL_WORKERS" in capsys.readouterr().err
