"""A task in trouble, as the controller finds it: a release that serves, a log with feedback, a verdict; and a real
controller process to tell of it."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import pytest

from contracts.files import write_atomic
from contracts.home import Home
from contracts.log import segment_path
from contracts.records import FeedbackRecord, PredictionRecord
from contracts.release import Manifest
from contracts.rollout import promote
from contracts.task import RetrainSpec
from contracts.verdict import Accuracy, Verdict, latest_path
from controller.record import DecisionRecord, read_decisions
from controller.settings import ControllerSettings

NOW = 1_800_000_000.0
STARTED = "2027-01-15T08:00:00Z"
RETRAIN = RetrainSpec(min_new_labels=40, cooldown_minutes=60)
_SERVE = """
import json, pathlib, sys
from contracts.home import Home
from controller.app import serve
from controller.settings import ControllerSettings
given = json.loads(sys.argv[2])
given["job_command"] = tuple(given["job_command"])
sys.exit(serve(Home(pathlib.Path(sys.argv[1])), ControllerSettings(**given)))
"""


@pytest.fixture(scope="session")
def make_verdict() -> Callable[..., Verdict]:
    def make(
        task: str = "support",
        release: str = "0001",
        word: str = "drift",
        *,
        alerting: bool = True,
        measured: float | None = 0.5,
        high: float | None = 0.6,
        labelled: int = 100,
        estimated: float | None = None,
    ) -> Verdict:
        return Verdict(
            task=task,
            release=release,
            window_id=f"{release}-000003",
            started=NOW - 100,
            ended=NOW - 50,
            evaluated=NOW - 40,
            rows=300,
            verdict=word,
            run=3 if word == "drift" else 0,
            alerting=alerting,
            alert_started=NOW - 40 if alerting else None,
            accuracy=Accuracy(
                reference=0.95, labelled=labelled, measured=measured, measured_high=high, estimated=estimated
            ),
        )

    return make


@pytest.fixture(scope="session")
def alert_body() -> Callable[..., dict[str, Any]]:
    """An Alertmanager message with one alert for each named task."""

    def make(*tasks: str, starts_at: str = STARTED, status: str = "firing", **labels: str) -> dict[str, Any]:
        return {
            "version": "4",
            "status": status,
            "groupKey": "{}",
            "alerts": [
                {
                    "status": status,
                    "labels": {"alertname": "PerennialDrift", "task": task, **labels},
                    "startsAt": starts_at,
                }
                for task in tasks or ("support",)
            ],
        }

    return make


@pytest.fixture(scope="session")
def write_log() -> Callable[..., None]:
    """Predictions, the first of them with feedback, from one hour ago on; `texts` gives each its text."""

    def write(
        home: Home,
        task: str = "support",
        *,
        rows: int = 80,
        labelled: int = 60,
        label: str = "billing",
        start: float | None = None,
        name: str = "a",
        digest: bool = False,
        texts: Callable[[int], str] = lambda number: f"mera paisa wapas karo number {number}",
    ) -> None:
        begun = time.time() - 60 if start is None else start
        for number in range(rows):
            moment = begun + number * 0.01
            prediction = PredictionRecord(
                id=f"{name}{number}", time=moment, task=task, release="0001",
                text=None if digest else texts(number), text_sha256="0" * 64 if digest else None,
                length=7, unknown_share=0.5, fragmentation=1.5, label="other", score=0.6,
                logits=(0.1, 0.2, 0.3), projection=(0.0, 0.0), latency_ms=1.0,
            )  # fmt: skip
            append(segment_path(home.predictions(task), "w", moment), prediction.model_dump_json())
            if number < labelled:
                answer = FeedbackRecord(id=f"{name}{number}", time=moment + 1, task=task, label=label)
                append(segment_path(home.feedback(task), "w", moment + 1), answer.model_dump_json())

    return write


def append(path: Path, line: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("a") as file:
        file.write(line + "\n")


@pytest.fixture
def troubled(
    home: Home,
    make_release: Callable[..., Manifest],
    make_verdict: Callable[..., Verdict],
    write_log: Callable[..., None],
) -> Callable[..., Home]:
    """Make a task whose champion 0001 serves, has drifted, is hurt, and has 60 labels."""

    def make(task: str = "support", retrain: RetrainSpec = RETRAIN, **log: Any) -> Home:
        made = make_release(home, task, retrain=retrain)
        promote(home, task, made.version, by="test", reason="first", now=time.time() - 3600)
        write_log(home, task, **log)
        write_atomic(latest_path(home, task), make_verdict(task, made.version).model_dump_json().encode())
        return home

    return make


@dataclass
class Controller:
    """A controller process on a free port; started again after each kill."""

    home: Home
    behaviour: Path
    settings: dict[str, Any]
    process: subprocess.Popen[bytes] | None = None
    url: str = ""
    client: httpx.Client = field(default_factory=lambda: httpx.Client(timeout=20))

    def start(self) -> None:
        log = self.behaviour / "controller.log"
        written = log.stat().st_size if log.exists() else 0
        with log.open("ab") as output:
            self.process = subprocess.Popen(
                [sys.executable, "-c", _SERVE, str(self.home.root), json.dumps(self.settings)],
                stdout=output,
                stderr=subprocess.STDOUT,
                env={**os.environ, "BEHAVIOUR": str(self.behaviour), "OMP_NUM_THREADS": "1"},
            )

        def listening() -> str | None:
            said = log.read_bytes()[written:].decode()
            found = re.search(r"listens on (http://\S+)", said)
            assert self.process is not None
            assert self.process.poll() is None, said
            return found.group(1) if found else None

        self.url = wait_for(listening)

    def kill(self) -> None:
        assert self.process is not None
        self.process.kill()
        self.process.wait()

    def terminate(self, number: signal.Signals = signal.SIGTERM) -> int:
        assert self.process is not None
        self.process.send_signal(number)
        return self.process.wait(30)

    def post(self, body: object) -> httpx.Response:
        return self.client.post(f"{self.url}/alerts", json=body)

    def get(self, path: str) -> httpx.Response:
        return self.client.get(f"{self.url}{path}")

    def behave(self, *words: str) -> None:
        """What the stand-in job does at each of its runs; the last word holds for all later ones."""
        (self.behaviour / "plan").write_text("\n".join(words))

    def runs(self) -> int:
        path = self.behaviour / "runs"
        return len(path.read_text().splitlines()) if path.exists() else 0

    def outcome(self, task: str = "support", number: int = 1, seconds: float = 60) -> DecisionRecord:
        """The number-th end of a request of a task, once it is there."""

        def found() -> DecisionRecord | None:
            ends = [d for d in read_decisions(self.home, task) if d.action in ("promote", "refuse", "failed")]
            return ends[number - 1] if len(ends) >= number else None

        return wait_for(found, seconds)


def wait_for(look: Callable[[], Any], seconds: float = 60) -> Any:
    deadline = time.monotonic() + seconds
    while not (found := look()):
        assert time.monotonic() < deadline, "waited in vain"
        time.sleep(0.03)
    return found


@pytest.fixture(name="wait_for")
def _wait_for() -> Callable[..., Any]:
    return wait_for


@pytest.fixture
def controller(home: Home, tmp_path: Path) -> Iterator[Controller]:
    """Not started yet; its job is the stand-in that publishes through the contracts."""
    behaviour = tmp_path / "behaviour"
    behaviour.mkdir()
    job = Path(__file__).parent / "stand_in_job.py"
    given = Controller(
        home,
        behaviour,
        {
            "port": 0,
            "reconcile_seconds": 0.1,
            "stop_grace_seconds": 2.0,
            "job_command": [sys.executable, str(job)],
        },
    )
    given.behave("better")
    yield given
    if given.process is not None and given.process.poll() is None:
        given.terminate()
    given.client.close()


@pytest.fixture
def settings() -> ControllerSettings:
    return ControllerSettings()
