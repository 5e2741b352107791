"""Perennial's own commands, run as a user would run them: real processes, real HTTP."""

from __future__ import annotations

import json
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TypeVar

import httpx

from contracts.errors import PerennialError
from contracts.home import Home

Found = TypeVar("Found")
_POLL_SECONDS = 0.25
_TAIL_LINES = 15


class StepFailedError(PerennialError):
    """A step of the story that did not happen."""


class Perennial:
    """The command `perennial` on one home, with ports of its own."""

    def __init__(self, home: Home, port: int, monitor_port: int, controller_port: int) -> None:
        self.home = home
        self.url = f"http://127.0.0.1:{port}"
        self.refused = 0
        self._ports = [
            *("--port", str(port)),
            *("--monitor-port", str(monitor_port)),
            *("--controller-port", str(controller_port)),
        ]
        self._log = home.root / "up.log"
        self._running: subprocess.Popen[bytes] | None = None

    def run(self, *words: str) -> None:
        """Run a verb to its end, its output shown."""
        code = subprocess.run([*_command(), *words, "--home", str(self.home.root)], check=False).returncode
        if code != 0:
            raise StepFailedError(f"`perennial {' '.join(words)}` should end well; it ended with exit code {code}.")

    @contextmanager
    def up(self) -> Iterator[None]:
        """`perennial up`, ready; stopped afterwards as Ctrl-C would."""
        command = [*_command(), "up", "--home", str(self.home.root), "--interval", "1", *self._ports]
        with self._log.open("wb") as log:
            self._running = subprocess.Popen(command, stdout=log, stderr=subprocess.STDOUT)
            try:
                self.wait("the service to be ready", self._is_ready, seconds=90)
                yield
            finally:
                self._running.terminate()
                try:
                    code = self._running.wait(30)
                except subprocess.TimeoutExpired:
                    self._running.kill()
                    code = self._running.wait()
        if code != 0:
            raise StepFailedError(
                f"`perennial up` should stop cleanly; it ended with exit code {code}. See {self._log}."
            )

    def replay(self, file: Path, *, feedback: float) -> float:
        """Send a file as traffic; returns the accuracy, 0..1."""
        words = ["replay", str(file), "--labels", "--feedback", str(feedback), "--url", self.url]
        done = subprocess.run([*_command(), *words, "--json"], capture_output=True, text=True, check=False)
        if done.returncode != 0:
            raise StepFailedError(f"`perennial {' '.join(words)}` ended with {done.returncode}: {done.stderr.strip()}")
        outcome = json.loads(done.stdout)
        self.refused += outcome["refused"]
        return float(outcome["accuracy"])

    def served_version(self) -> str | None:
        """The version that the service answers with, or None when it cannot be told."""
        try:
            return str(httpx.get(f"{self.url}/v1/models/support", timeout=5).raise_for_status().json()["version"])
        except (httpx.HTTPError, ValueError, KeyError):
            return None

    def wait(
        self,
        what: str,
        look: Callable[[], Found | None],
        *,
        seconds: float,
        give_up: Callable[[], object | None] | None = None,
        meanwhile: Callable[[], None] = lambda: None,
    ) -> Found:
        """What `look` finds, as soon as it finds something true; a StepFailedError after `seconds`."""
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            found = look()
            if found:
                return found
            if self._running is not None and self._running.poll() is not None:
                raise StepFailedError(f"Waiting for {what}: `perennial up` ended. {self._tail()}")
            against = give_up() if give_up else None
            if against:
                raise StepFailedError(f"Waiting for {what}; instead: {against}. {self._tail()}")
            meanwhile()
            time.sleep(_POLL_SECONDS)
        raise StepFailedError(f"Waited {seconds:.0f} s for {what}; it did not come. {self._tail()}")

    def _is_ready(self) -> bool:
        try:
            return httpx.get(f"{self.url}/readyz", timeout=5).status_code == httpx.codes.OK
        except httpx.HTTPError:
            return False

    def _tail(self) -> str:
        if not self._log.is_file():
            return ""
        lines = self._log.read_text(errors="replace").splitlines()[-_TAIL_LINES:]
        return "\n".join([f"The last lines of {self._log}:", *lines])


def free_ports(count: int) -> list[int]:
    """Ports of the loopback address that nothing listens on at this moment."""
    probes = [socket.socket() for _ in range(count)]
    try:
        for probe in probes:
            probe.bind(("127.0.0.1", 0))
        return [int(probe.getsockname()[1]) for probe in probes]
    finally:
        for probe in probes:
            probe.close()


def _command() -> list[str]:
    return [sys.executable, "-m", "cli.main"]
