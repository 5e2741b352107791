"""`perennial up`: what it refuses before it starts anything, and that it ends in good order whatever happens."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from cli.main import main
from contracts.home import Home
from demo.programs import free_ports

SUPERVISE = """
import signal, sys
# Whoever runs these tests may ignore it, as nohup does.
signal.signal(signal.SIGHUP, signal.SIG_DFL)
signal.signal(signal.SIGINT, signal.default_int_handler)
from cli.up import Program, _supervise
sys.exit(_supervise([Program("service", [sys.executable, "-c", sys.argv[1]])]))
"""
# Says more than a pipe holds, then that it has said it, and then waits for its end.
TALKATIVE = """
import signal, sys, pathlib
for _ in range(4000): print("x" * 80, flush=True)
pathlib.Path("said").touch()
signal.signal(signal.SIGTERM, lambda *_: (pathlib.Path("ended").touch(), sys.exit(0)))
signal.pause()
"""
ROOT = Path(__file__).resolve().parents[2]


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--port", "70000"], "--port: expected a port from 1 to 65535, found 70000"),
        (["--controller-port", "0"], "--controller-port: expected a port from 1 to 65535"),
        (["--port", "3001"], "three different ports, found --port 3001, --monitor-port 3001"),
        (["--interval", "nan"], "INTERVAL_SECONDS: expected a number of seconds"),
        (["--host", "no-such-host.invalid"], "Name another: --host"),
        (["--home", "/dev/null/home"], "Name another folder: --home"),
    ],
)
def test_what_no_program_could_use_is_refused_at_once(
    home: Home, capsys: pytest.CaptureFixture[str], options: list[str], said: str
) -> None:
    assert main(["up", "--home", str(home.root), *options]) == 1
    assert said in " ".join(capsys.readouterr().err.split())


def test_a_setting_of_the_environment_is_checked_too(
    home: Home, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PERENNIAL_CONTROLLER_JOB_ATTEMPTS", "many")
    assert main(["up", "--home", str(home.root)]) == 1
    assert "PERENNIAL_CONTROLLER_JOB_ATTEMPTS" in capsys.readouterr().err


def test_a_port_that_is_being_left_is_waited_for(
    home: Home, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("cli.up._supervise", lambda programs: len(programs))
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = str(taken.getsockname()[1])
        leaving = threading.Timer(0.5, taken.close)
        leaving.start()
        monitor, controller = (str(free) for free in free_ports(2))
        ports = ["--port", port, "--monitor-port", monitor, "--controller-port", controller]
        assert main(["up", "--home", str(home.root), *ports]) == 3, capsys.readouterr().err
        leaving.join()


def supervise(folder: Path, stdout: int) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        [sys.executable, "-c", SUPERVISE, TALKATIVE],
        cwd=folder,
        stdout=stdout,
        stderr=subprocess.STDOUT,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )


def wait_for(path: Path) -> None:
    deadline = time.monotonic() + 30
    while not path.exists():
        assert time.monotonic() < deadline, f"{path.name} did not come"
        time.sleep(0.02)


def test_a_program_goes_on_when_nobody_reads_the_output(tmp_path: Path) -> None:
    reading, writing = os.pipe()
    process = supervise(tmp_path, writing)
    os.close(writing)
    os.close(reading)
    try:
        wait_for(tmp_path / "said")
        time.sleep(0.3)
        assert process.poll() is None
        process.send_signal(signal.SIGINT)
        assert process.wait(30) == 0
        assert (tmp_path / "ended").exists()
    finally:
        process.kill()
        process.wait()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_each_signal_stops_the_programs_first(tmp_path: Path, number: signal.Signals) -> None:
    process = supervise(tmp_path, subprocess.DEVNULL)
    try:
        wait_for(tmp_path / "said")
        time.sleep(0.3)
        process.send_signal(number)
        process.send_signal(number)
        assert process.wait(30) == 0
        assert (tmp_path / "ended").exists()
    finally:
        process.kill()
        process.wait()
