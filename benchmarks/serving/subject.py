"""A server under test: started, asked, watched for the CPU it uses, stopped."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path

import httpx
import psutil

from benchmarks.serving.corpus import TASK
from benchmarks.serving.environments import ensure
from benchmarks.serving.load import LoadPlan, LoadResult
from benchmarks.serving.peers.peer import CHECKOUT, Peer
from contracts.errors import PerennialError
from contracts.home import Home

_START_SECONDS = 120.0
_STOP_SECONDS = 20.0
_A_TEXT = "where is my card?"


class SubjectError(PerennialError):
    """A server that did not start, or answered wrongly."""


@dataclass(frozen=True)
class Subject:
    """How to start and ask one server."""

    name: str
    command: Callable[[int], list[str]]  # port
    environment: Callable[[int], Mapping[str, str]]
    path: str
    ready_path: str
    body: Callable[[str], bytes]
    label: Callable[[bytes], str]


def perennial(home: Home, extra: Mapping[str, str] | None = None) -> Subject:
    """Ours, as `perennial serve` starts it, with the defaults unless `extra` says otherwise."""
    return Subject(
        name="perennial",
        command=lambda port: [sys.executable, "-m", "cli.main", "serve", "--port", str(port), "--home", str(home.root)],
        environment=lambda _: {"PYTHONPATH": str(CHECKOUT), **(extra or {})},
        path=f"/v1/models/{TASK}:predict",
        ready_path="/readyz",
        body=lambda text: json.dumps({"instances": [text]}).encode(),
        label=lambda answer: str(json.loads(answer)["predictions"][0]["label"]),
    )


def peer_subject(peer: Peer, release: Path) -> Subject:
    """A peer in its own environment, which is made where it is not there. Raises PeerUnavailableError."""
    python = ensure(peer)
    return Subject(
        name=peer.name,
        command=lambda port: peer.command(python, release, port),
        environment=lambda port: peer.environment(release, port),
        path=peer.path,
        ready_path=peer.ready_path,
        body=peer.body,
        label=peer.label,
    )


@dataclass
class Running:
    """A server that answers."""

    subject: Subject
    port: int
    process: subprocess.Popen[bytes]
    _ended: dict[int, float] = field(default_factory=dict)

    def cpu_seconds(self) -> float:
        """Of all its processes since they were started."""
        for process in self._processes():
            with suppress(psutil.NoSuchProcess):
                times = process.cpu_times()
                self._ended[process.pid] = times.user + times.system
        return sum(self._ended.values())

    def pause(self) -> None:
        """Nothing of it runs any more: what a server does that nobody asks is not to be paid by another."""
        for process in self._processes():
            with suppress(psutil.NoSuchProcess):
                process.suspend()

    @contextmanager
    def asked(self) -> Iterator[None]:
        """It runs again, and answers, until the end of the block."""
        # Children first: whoever watches them is to find them alive.
        for process in reversed(self._processes()):
            with suppress(psutil.NoSuchProcess):
                process.resume()
        self.answer(_A_TEXT)
        try:
            yield
        finally:
            self.pause()

    def _processes(self) -> list[psutil.Process]:
        own = psutil.Process(self.process.pid)
        return [own, *own.children(recursive=True)]

    def plan(self, texts: Sequence[str], concurrency: int, seconds: float) -> LoadPlan:
        """A closed loop; `replace` makes another load of it."""
        bodies = [self.subject.body(text).decode() for text in texts]
        return LoadPlan("127.0.0.1", self.port, self.subject.path, bodies, concurrency, seconds)

    def load(self, plan: LoadPlan) -> tuple[LoadResult, float]:
        """Run a load in a process of its own; the result, and the server's milliseconds of CPU a request."""
        before = self.cpu_seconds()
        with begun(plan) as process:
            result = finished(process, plan)
        return result, 1000 * (self.cpu_seconds() - before) / max(1, result.completed)

    def answer(self, text: str) -> str:
        """The label of one text."""
        response = httpx.post(
            f"http://127.0.0.1:{self.port}{self.subject.path}",
            content=self.subject.body(text),
            headers={"content-type": "application/json"},
            timeout=30,
        )
        return self.subject.label(response.raise_for_status().content)


@contextmanager
def running(subject: Subject, log: Path) -> Iterator[Running]:
    """Started on a free port, waited for until it answers a text, and stopped with everything that it started."""
    port = _free_port()
    environment = {**os.environ, "OMP_WAIT_POLICY": "PASSIVE", **subject.environment(port)}
    with log.open("ab") as output:
        process = subprocess.Popen(
            # Some leave files where they are started.
            subject.command(port),
            stdout=output,
            stderr=output,
            cwd=log.parent,
            env=environment,
            start_new_session=True,
        )
    found = Running(subject, port, process)
    try:
        _wait(found, log)
        yield found
    finally:
        _stop(process)


@contextmanager
def begun(plan: LoadPlan) -> Iterator[subprocess.Popen[str]]:
    """A load that is under way."""
    command = [sys.executable, "-m", "benchmarks.serving.load"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=CHECKOUT) as process:
        if process.stdin is not None:
            json.dump(asdict(replace(plan, seed=time.monotonic_ns() % 2**31)), process.stdin)
            process.stdin.close()
            process.stdin = None
        try:
            yield process
        finally:
            process.kill()


def finished(process: subprocess.Popen[str], plan: LoadPlan) -> LoadResult:
    """Wait for a load and read what it found."""
    output, _ = process.communicate(timeout=plan.warm_seconds + plan.seconds + 120)
    if process.returncode != 0:
        raise SubjectError(f"The load on {plan.path} ended with exit code {process.returncode}; see its output above.")
    found = json.loads(output)
    found["answers"] = [tuple(answer) for answer in found["answers"]]
    return LoadResult(**found)


def _wait(found: Running, log: Path) -> None:
    end = time.monotonic() + _START_SECONDS
    url = f"http://127.0.0.1:{found.port}{found.subject.ready_path}"
    while time.monotonic() < end and found.process.poll() is None:
        with suppress(httpx.HTTPError):
            if httpx.get(url, timeout=5).status_code == 200:
                found.answer(_A_TEXT)
                return
        time.sleep(0.1)
    code = found.process.poll()
    what = f"did not answer within {_START_SECONDS:.0f} s" if code is None else f"ended with exit code {code} at once"
    raise SubjectError(f"{found.subject.name} {what}. See {log}.")


def _stop(process: subprocess.Popen[bytes]) -> None:
    family = [psutil.Process(process.pid)] if process.poll() is None else []
    family += family[0].children(recursive=True) if family else []
    for one in reversed(family):
        with suppress(psutil.NoSuchProcess):
            one.resume()  # who is paused cannot stop
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGTERM)
    with suppress(subprocess.TimeoutExpired):
        process.wait(_STOP_SECONDS)
    for one in family:
        with suppress(psutil.NoSuchProcess):
            one.kill()
    process.wait()


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
