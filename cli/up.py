"""`perennial up`: service, monitor and controller on this machine, as three processes; one Ctrl-C stops them."""

from __future__ import annotations

import argparse
import errno
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Sequence
from contextlib import AbstractContextManager, suppress
from dataclasses import dataclass, field

from rich.text import Text

from cli.console import add_common, console, print_line
from cli.parent import PARENT_VARIABLE
from contracts.errors import PerennialError
from contracts.files import is_locked, locked
from contracts.home import Home
from controller.settings import ControllerSettings
from monitoring.settings import MonitorSettings
from service.access import ApiKeys
from service.settings import ServiceSettings

_STYLES = {"service": "green", "monitor": "cyan", "controller": "magenta"}
_LOOK_SECONDS = 0.1
_GRACE_SECONDS = 20.0
_RESTART_PAUSES = (0.5, 1.0, 2.0, 5.0, 10.0)
_STEADY_SECONDS = 60.0
# The programs of an `up` that was killed need a moment to leave their ports.
_PORT_PATIENCE_SECONDS = 5.0


class UpError(PerennialError):
    """The programs cannot be started together."""


@dataclass
class Program:
    """One of the three, and how often it had to be started."""

    name: str
    command: Sequence[str]
    process: subprocess.Popen[str] | None = None
    started: float = 0.0
    restarts: int = 0
    restart_at: float | None = None
    lines: list[threading.Thread] = field(default_factory=list)


def configure(parser: argparse.ArgumentParser) -> None:
    """Options of the verb."""
    add_common(parser)
    parser.add_argument(
        "--host", help="address that the service listens on (default: PERENNIAL_LISTEN_HOST, else 127.0.0.1)"
    )
    parser.add_argument("--port", type=int, help="port of the service (default: PERENNIAL_LISTEN_PORT, else 3000)")
    parser.add_argument(
        "--workers", type=int, metavar="N", help="processes of the service (default: PERENNIAL_WORKERS, else 1)"
    )
    parser.add_argument(
        "--monitor-port",
        type=int,
        help="port of the monitor's /metrics (default: PERENNIAL_MONITOR_PORT, where `off` is none, else 3001)",
    )
    parser.add_argument(
        "--controller-port", type=int, help="port of the controller (default: PERENNIAL_CONTROLLER_PORT, else 3002)"
    )
    parser.add_argument(
        "--interval",
        type=float,
        metavar="SECONDS",
        help="between two looks at the log (default: PERENNIAL_MONITOR_INTERVAL_SECONDS, else 30)",
    )


def run(options: argparse.Namespace) -> int:
    """Runs until SIGINT, SIGTERM or the terminal's end; a program that dies is started again."""
    home = Home.from_environment(os.environ, options.home)
    _check_settings(options)
    try:
        home.root.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UpError(f"{home.root} cannot be made ({error.strerror}). Name another folder: --home.") from error
    lock = home.root / "up.lock"
    if is_locked(lock):
        raise UpError(f"Another `perennial up` runs on {home.root}. Stop it first, or name another --home.")
    with locked(lock):
        _check_ports(options)
        return _supervise(_programs(home, options))


def _programs(home: Home, options: argparse.Namespace) -> list[Program]:
    alerts = f"http://127.0.0.1:{options.controller_port}/alerts"
    verbs = {
        "service": [
            *("serve", "--host", options.host, "--port", str(options.port)),
            *(("--workers", str(options.workers)) if options.workers is not None else ()),
        ],
        "monitor": [
            *("monitor", "--port", _monitor_port(options), "--alert-url", alerts),
            *("--interval", str(options.interval), "--repeat", str(options.interval)),
        ],
        "controller": ["controller", "--port", str(options.controller_port)],
    }
    return [
        Program(name, [sys.executable, "-m", "cli.main", *words, "--home", str(home.root)])
        for name, words in verbs.items()
    ]


def _monitor_port(options: argparse.Namespace) -> str:
    return "off" if options.monitor_port is None else str(options.monitor_port)


def _check_settings(options: argparse.Namespace) -> None:
    """What a program would refuse, it would refuse at each new start: tell it before the first.

    Options that are not given become what the environment or the default says; a monitor's port of None is none.
    """
    monitor = MonitorSettings.from_environment(os.environ, {"interval_seconds": options.interval})
    options.interval = monitor.interval_seconds
    options.monitor_port = monitor.port if options.monitor_port is None else options.monitor_port
    controller = ControllerSettings.from_environment(os.environ)
    options.controller_port = controller.port if options.controller_port is None else options.controller_port
    service = ServiceSettings.from_environment(os.environ, {"workers": options.workers})
    ApiKeys(service.api_keys, service.api_keys_file)
    options.host = options.host or service.host
    options.port = service.port if options.port is None else options.port
    ports = {
        "--port": options.port,
        **({} if options.monitor_port is None else {"--monitor-port": options.monitor_port}),
        "--controller-port": options.controller_port,
        **({"PERENNIAL_METRICS_PORT": service.metrics_port} if service.metrics_port else {}),
    }
    for option, port in ports.items():
        if not 1 <= port <= 65535:
            raise UpError(f"{option}: expected a port from 1 to 65535, found {port}.")
    if len(set(ports.values())) < len(ports):
        found = ", ".join(f"{option} {port}" for option, port in ports.items())
        number = {2: "two", 3: "three", 4: "four"}[len(ports)]
        raise UpError(f"Expected {number} different ports, found {found}. Change one of them.")


def _check_ports(options: argparse.Namespace) -> None:
    wanted = {
        "--port": (options.host, options.port),
        **({} if options.monitor_port is None else {"--monitor-port": ("127.0.0.1", options.monitor_port)}),
        "--controller-port": ("127.0.0.1", options.controller_port),
    }
    deadline = time.monotonic() + _PORT_PATIENCE_SECONDS
    for option, (host, port) in wanted.items():
        while (problem := _bind_problem(host, port)) is not None:
            if problem.errno != errno.EADDRINUSE or time.monotonic() >= deadline:
                remedy = option if problem.errno == errno.EADDRINUSE or option != "--port" else "--host or --port"
                raise UpError(f"Port {port} on {host} cannot be had ({problem.strerror}). Name another: {remedy}.")
            time.sleep(0.1)


def _bind_problem(host: str, port: int) -> OSError | None:
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
        family, kind, protocol, _, address = found[0]
        with socket.socket(family, kind, protocol) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind(address)
    except OSError as error:
        return error
    return None


def _supervise(programs: list[Program]) -> int:
    # A list and no threading.Event: that one's lock may be held by the very wait that a signal interrupts.
    stop: list[int] = []
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        # What nohup has set to be ignored stays so. SIGINT does not: the shell has it ignored for what a script starts
        # with &, and who sends it to this process means it.
        if number != signal.SIGHUP or signal.getsignal(number) is not signal.SIG_IGN:
            signal.signal(number, lambda found, _: stop.append(found))
    try:
        for program in programs:
            _start(program)
        while not stop:
            time.sleep(_LOOK_SECONDS)
            for program in programs:
                _restart_if_dead(program)
    finally:
        _say("Stopping ...")
        _stop_all(programs)
    _say("Stopped.")
    return 0


def _start(program: Program) -> None:
    # A session of its own, so that Ctrl-C reaches only this process, which then stops the three in good order.
    program.process = subprocess.Popen(
        program.command,
        env={**os.environ, PARENT_VARIABLE: str(os.getpid())},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
        start_new_session=True,
    )
    program.started = time.monotonic()
    reader = threading.Thread(target=_echo, args=(program.name, program.process), daemon=True)
    reader.start()
    program.lines.append(reader)


def _echo(name: str, process: subprocess.Popen[str]) -> None:
    screen = console()
    # To the end even when nobody reads our output any more: a program whose pipe is full would stand still.
    for line in process.stdout or ():
        with _output_may_be_gone():
            screen.print(Text.assemble((f"{name:<10} | ", _STYLES[name]), line.rstrip("\n")), soft_wrap=True)


def _say(message: str) -> None:
    with _output_may_be_gone():
        print_line(message)


def _output_may_be_gone() -> AbstractContextManager[None]:
    """A closed terminal gives an OSError; of a closed pipe rich makes an end of the process, which would leave the
    three running."""
    return suppress(OSError, SystemExit)


def _restart_if_dead(program: Program) -> None:
    now = time.monotonic()
    if program.restart_at is not None:
        if now >= program.restart_at:
            program.restart_at = None
            _start(program)
        return
    code = program.process.poll() if program.process else None
    if code is None:
        return
    if now - program.started > _STEADY_SECONDS:
        program.restarts = 0
    pause = _RESTART_PAUSES[min(program.restarts, len(_RESTART_PAUSES) - 1)]
    program.restarts += 1
    program.restart_at = now + pause
    _say(f"The {program.name} ended unexpectedly ({_why(code)}); starting it again in {pause:g} s.")


def _why(code: int) -> str:
    return f"killed by {signal.Signals(-code).name}" if code < 0 else f"exit code {code}"


def _stop_all(programs: list[Program]) -> None:
    """The controller last: what the monitor still finds is posted to it."""
    for last in (False, True):
        _stop([one for one in programs if (one.name == "controller") is last])
    for program in programs:
        for reader in program.lines:
            reader.join(1.0)


def _stop(programs: list[Program]) -> None:
    deadline = time.monotonic() + _GRACE_SECONDS
    living = [program.process for program in programs if program.process and program.process.poll() is None]
    for process in living:
        process.terminate()
    for process in living:
        try:
            process.wait(max(0.1, deadline - time.monotonic()))
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
