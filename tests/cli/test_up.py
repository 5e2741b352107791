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
from cli.up import Program
from contracts.home import Home
from demo.programs import free_ports

SUPERVISE = """
import signal, sys
# Whoever runs these tests may ignore it, as nohup does.
signal.signal(signal.SIGHUP, signal.SIG_DFL)
signal.signal(signal.SIGINT, signal.default_int_handler)
if sys.argv[2]: signal.signal(getattr(signal, sys.argv[2]), signal.SIG_IGN)
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


def test_the_ports_and_the_interval_may_come_from_the_environment(
    home: Home, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    commands: dict[str, list[str]] = {}

    def supervise(programs: list[Program]) -> int:
        commands.update({one.name: list(one.command) for one in programs})
        return 0

    monkeypatch.setattr("cli.up._supervise", supervise)
    service, monitor, controller, given = (str(free) for free in free_ports(4))
    monkeypatch.setenv("PERENNIAL_LISTEN_PORT", service)
    monkeypatch.setenv("PERENNIAL_MONITOR_PORT", monitor)
    monkeypatch.setenv("PERENNIAL_MONITOR_INTERVAL_SECONDS", "7")
    monkeypatch.setenv("PERENNIAL_CONTROLLER_PORT", controller)

    def ports_of(*words: str) -> list[str]:
        assert main(["up", "--home", str(home.root), *words]) == 0, capsys.readouterr().err
        return [commands[name][commands[name].index("--port") + 1] for name in ("service", "monitor", "controller")]

    assert ports_of() == [service, monitor, controller]
    assert f"http://127.0.0.1:{controller}/alerts" in commands["monitor"]
    assert commands["monitor"][commands["monitor"].index("--interval") + 1] == "7.0"
    assert ports_of("--monitor-port", given) == [service, given, controller]
    assert ports_of("--controller-port", given) == [service, monitor, given]
    monkeypatch.setenv("PERENNIAL_MONITOR_PORT", "off")
    assert ports_of() == [service, "off", controller]
    monkeypatch.setenv("PERENNIAL_MONITOR_PORT", service)
    assert main(["up", "--home", str(home.root)]) == 1
    assert f"--monitor-port {service}" in " ".join(capsys.readouterr().err.split())


def supervise(folder: Path, stdout: int, ignored: str = "") -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        [sys.executable, "-c", SUPERVISE, TALKATIVE, ignored],
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


def test_a_script_that_started_it_with_an_ampersand_can_interrupt_it(tmp_path: Path) -> None:
    process = supervise(tmp_path, subprocess.DEVNULL, ignored="SIGINT")
    try:
        wait_for(tmp_path / "said")
        process.send_signal(signal.SIGINT)
        assert process.wait(30) == 0
        assert (tmp_path / "ended").exists()
    finally:
        process.kill()
        process.wait()


def test_the_end_of_a_terminal_that_nohup_ignores_is_ignored(tmp_path: Path) -> None:
    process = supervise(tmp_path, subprocess.DEVNULL, ignored="SIGHUP")
    try:
        wait_for(tmp_path / "said")
        process.send_signal(signal.SIGHUP)
        time.sleep(0.5)
        assert process.poll() is None
    finally:
        process.terminate()
        assert process.wait(30) == 0
