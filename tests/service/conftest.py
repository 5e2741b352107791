"""A real server process on a free port, driven over real HTTP."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import httpx
import pytest

from contracts.home import Home
from contracts.release import Manifest
from contracts.rollout import promote
from contracts.task import LimitSpec

ROOT = Path(__file__).resolve().parents[2]
PROGRAM = """
import logging, os, sys
logging.basicConfig(level=logging.INFO, stream=sys.stdout)
from service.server import serve
from service.settings import ServiceSettings
sys.exit(serve(ServiceSettings.from_environment(os.environ)))
"""
DEADLINE = 60.0


@dataclass
class Server:
    """A running service."""

    process: subprocess.Popen[str]
    lines: list[str] = field(default_factory=list)
    url: str = ""
    reader: threading.Thread = field(default_factory=threading.Thread)
    client: httpx.Client = field(default_factory=lambda: httpx.Client(timeout=30))

    def wait_for(self, what: Callable[[], object], why: str) -> None:
        """Until `what()` is true; the deadline only ends a test that has failed."""
        end = time.monotonic() + DEADLINE
        while not what():
            if self.process.poll() is not None:
                self.reader.join(10)  # for its last words
            assert self.process.poll() is None, f"{why}: the server ended:\n{self.output()}"
            assert time.monotonic() < end, f"{why}: not within {DEADLINE} s:\n{self.output()}"
            time.sleep(0.02)

    def ready(self) -> bool:
        return self.get("/readyz").status_code == 200

    def version(self, task: str = "support") -> str | None:
        return self.get(f"/v1/models/{task}").json().get("version")

    def get(self, path: str) -> httpx.Response:
        return self.client.get(self.url + path)

    def predict(self, *texts: str, task: str = "support") -> httpx.Response:
        return self.client.post(f"{self.url}/v1/models/{task}:predict", json={"instances": list(texts)})

    def feedback(self, *items: tuple[str, str], task: str = "support") -> httpx.Response:
        body = {"items": [{"id": identifier, "label": label} for identifier, label in items]}
        return self.client.post(f"{self.url}/v1/models/{task}:feedback", json=body)

    def output(self) -> str:
        return "".join(self.lines)

    def metric(self, sample: str) -> float:
        """The value of one sample, labels written as Prometheus does; 0 when it is not there."""
        for line in self.get("/metrics").text.splitlines():
            if line.startswith(sample + " "):
                return float(line.rsplit(" ", 1)[1])
        return 0.0

    def end(self, number: int) -> int:
        """Send a signal and wait; the exit code."""
        self.process.send_signal(number)
        return self.process.wait(DEADLINE)

    def close(self) -> None:
        self.client.close()
        if self.process.poll() is None:
            self.process.terminate()
            try:
                self.process.wait(20)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
        self.reader.join(10)
        if self.process.stdout is not None:
            self.process.stdout.close()


def launch(
    home: Home,
    *,
    environment: dict[str, str] | None = None,
    file_kib: int | None = None,
    command: Sequence[str] = (sys.executable, "-c", PROGRAM),
) -> Server:
    """Start a server and wait until it answers; `file_kib` bounds the size of any file that it writes."""
    if file_kib is not None:
        command = ["bash", "-c", f'ulimit -f {file_kib}; exec "$@"', "bash", *command]
    process = subprocess.Popen(
        command,
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        env={
            **os.environ,
            "PERENNIAL_HOME": str(home.root),
            "PERENNIAL_LISTEN_PORT": "0",
            "PERENNIAL_POLL_SECONDS": "0.1",
            "OMP_NUM_THREADS": "1",
            "PERENNIAL_THREADS": "1",
            **(environment or {}),
        },
    )
    server = Server(process)

    def read() -> None:
        assert process.stdout is not None
        for line in process.stdout:
            server.lines.append(line)

    server.reader = threading.Thread(target=read, daemon=True)
    server.reader.start()
    try:
        _await_answers(server)
    except BaseException:
        server.close()
        raise
    return server


def _await_answers(server: Server) -> None:
    server.wait_for(lambda: re.search(r"at (http://\S+)", server.output()), "listening")
    found = re.search(r"at (http://\S+)", server.output())
    assert found is not None
    server.url = found.group(1)

    def answers() -> bool:
        try:
            return server.get("/livez").status_code == 200
        except httpx.TransportError:
            return False

    server.wait_for(answers, "answering")


@pytest.fixture
def start_server() -> Iterator[Callable[..., Server]]:
    """Starts servers and ends them after the test."""
    yield from _starting()


@pytest.fixture(scope="module")
def start_lasting() -> Iterator[Callable[..., Server]]:
    """Starts servers and ends them after the last test of a file."""
    yield from _starting()


def _starting() -> Iterator[Callable[..., Server]]:
    started: list[Server] = []

    def start(home: Home, *, until_ready: bool = True, **options: object) -> Server:
        server = launch(home, **options)
        started.append(server)
        if until_ready:
            server.wait_for(server.ready, "ready")
        return server

    yield start
    for server in started:
        server.close()


@pytest.fixture(scope="session")
def release_served(make_release: Callable[..., Manifest]) -> Callable[..., Manifest]:
    """Publish a release and make it the stable one."""

    def make(home: Home, task: str = "support", *args: object, **options: object) -> Manifest:
        manifest = make_release(home, task, *args, **options)
        promote(home, task, manifest.version, by="test", reason="test", now=time.time())
        return manifest

    return make


@dataclass(frozen=True)
class Scene:
    """A home of its own, in which releases of `support` are published, and servers over it."""

    home: Home
    start: Callable[..., Server]
    serve: Callable[..., Manifest]  # publish a release and make it the stable one
    publish: Callable[..., Manifest]


@pytest.fixture
def scene(
    home: Home,
    start_server: Callable[..., Server],
    release_served: Callable[..., Manifest],
    make_release: Callable[..., Manifest],
) -> Scene:
    return Scene(home, partial(start_server, home), partial(release_served, home), partial(make_release, home))


@pytest.fixture(scope="session")
def shared(tmp_path_factory: pytest.TempPathFactory, release_served: Callable[..., Manifest]) -> Iterator[Server]:
    """One server for tests that only ask: tasks `support` (small limits), `orders`, and `broken` (no release)."""
    home = Home(tmp_path_factory.mktemp("shared-home"))
    release_served(home, limits=LimitSpec(max_instances=8, max_text_chars=200))
    release_served(home, "orders", {"paid": ("paid", "money"), "sent": ("sent", "truck")})
    home.releases("broken").mkdir(parents=True)
    server = launch(home, environment={"PERENNIAL_MAX_BODY_BYTES": "65536"})
    server.wait_for(server.ready, "ready")
    yield server
    server.close()


@pytest.fixture(scope="session")
def post() -> Callable[..., httpx.Response]:
    """Send any bytes, under any name."""

    def send(server: Server, path: str, content: bytes, kind: str | None = "application/json") -> httpx.Response:
        headers = {} if kind is None else {"content-type": kind}
        return server.client.post(server.url + path, content=content, headers=headers)

    return send


@pytest.fixture(scope="session")
def assert_problem() -> Callable[..., dict[str, Any]]:
    """The problem that a response holds, which is whole and of the given status and name."""

    def check(response: httpx.Response, status: int, name: str) -> dict[str, Any]:
        assert response.status_code == status, response.text
        assert response.headers["content-type"] == "application/problem+json"
        problem: dict[str, Any] = response.json()
        assert problem["type"] == f"urn:perennial:problem:{name}"
        assert problem["status"] == status
        assert problem["title"]
        assert problem["detail"]
        assert problem["instance"] == response.request.url.raw_path.decode()
        assert "Traceback" not in response.text
        return problem

    return check
