"""Traffic as the service would log it, and a receiver of alerts."""

from __future__ import annotations

import json
import shutil
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import numpy as np
import pytest

from contracts.home import Home
from contracts.log import segment_path
from contracts.records import FeedbackRecord, PredictionRecord
from contracts.reference import Reference
from contracts.release import Manifest
from contracts.rollout import promote
from contracts.task import MonitorSpec
from contracts.verdict import Verdict
from monitoring import evaluation
from monitoring.evaluation import Watch, evaluate_pending

START = 1_800_000_000.0


@dataclass
class Traffic:
    """Writes predictions that look like the reference of `make_release`, or, for a share of them, do not."""

    home: Home
    task: str = "support"
    labels: tuple[str, ...] = ("billing", "delivery", "other")
    release: str = "0001"
    clock: float = START
    sent: int = 0
    rng: np.random.Generator = field(default_factory=lambda: np.random.default_rng(11))
    ids: list[tuple[str, str]] = field(default_factory=list)  # (id, predicted label)

    def send(
        self,
        rows: int,
        *,
        foreign: float = 0.0,
        writer: str = "w0",
        step: float = 1.0,
        release: str | None = None,
        role: str = "stable",
    ) -> list[PredictionRecord]:
        made = [self.record(self.rng.random() < foreign, step, release or self.release, role) for _ in range(rows)]
        self.write(made, writer)
        return made

    def record(self, foreign: bool, step: float = 1.0, release: str = "0001", role: str = "stable") -> PredictionRecord:
        self.clock += step
        self.sent += 1
        rng = self.rng
        made = PredictionRecord(
            id=f"p{self.sent:07d}",
            time=self.clock,
            task=self.task,
            release=release,
            role=role,
            text="a text",
            length=int(rng.integers(14, 40) if foreign else rng.integers(5, 16)),
            unknown_share=float(rng.uniform(0, 0.4)) if foreign else 0.0,
            fragmentation=float(rng.uniform(1.2, 2.5)) if foreign else 1.0,
            label=self.labels[0] if foreign else self.labels[int(rng.integers(len(self.labels)))],
            score=float(np.float32(rng.beta(3, 2) if foreign else rng.beta(12, 1.2))),
            logits=(0.0,) * len(self.labels),
            projection=tuple(float(x) for x in rng.normal(0.3 if foreign else 0.0, 0.05, 2)),
            latency_ms=1.0,
        )
        self.ids.append((made.id, made.label))
        return made

    def write(self, records: list[PredictionRecord], writer: str = "w0") -> None:
        for record in records:
            path = segment_path(self.home.predictions(self.task), writer, record.time)
            path.parent.mkdir(parents=True, exist_ok=True)
            with path.open("ab") as file:
                file.write(record.model_dump_json().encode() + b"\n")

    def feed_back(self, answers: list[tuple[str, str]], right: int) -> None:
        """True labels for these predictions: the first `right` agree with them, the others do not."""
        for number, (prediction, label) in enumerate(answers):
            truth = label if number < right else next(other for other in self.labels if other != label)
            record = FeedbackRecord(id=prediction, time=self.clock, task=self.task, label=truth)
            path = segment_path(self.home.feedback(self.task), "f0", record.time)
            path.parent.mkdir(parents=True, exist_ok=True)
            with path.open("ab") as file:
                file.write(record.model_dump_json().encode() + b"\n")


@pytest.fixture(scope="session")
def traffic_of() -> type[Traffic]:
    return Traffic


@pytest.fixture
def traffic(home: Home) -> Traffic:
    return Traffic(home)


@dataclass
class Receiver:
    """Takes alerts as the controller does; answers `status`."""

    server: ThreadingHTTPServer
    taken: list[dict[str, object]]
    status: int = 200

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server.server_port}/alerts"

    @property
    def words(self) -> list[object]:
        return [message["status"] for message in self.taken]


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            if receiver.status < 300:
                receiver.taken.append(json.loads(body))
            self.send_response(receiver.status)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    receiver = Receiver(server, [])
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    yield receiver
    server.shutdown()
    server.server_close()
    thread.join()


@pytest.fixture(scope="session")
def made_reference() -> Callable[..., Reference]:
    """A reference of given size whose traits a simulation can draw from."""

    def make(rows: int = 2000, classes: int = 8, dimensions: int = 16, seed: int = 3) -> Reference:
        rng = np.random.default_rng(seed)
        labels = rng.integers(0, classes, rows)
        centres = np.random.default_rng(1).normal(0, 1, (classes, dimensions))
        return Reference(
            predicted=labels.astype(np.int64),
            correct=rng.random(rows) < 0.93,
            scores=rng.beta(9, 1, rows).astype(np.float32),
            lengths=np.clip(rng.poisson(14, rows), 3, None).astype(np.int64),
            unknown_shares=np.where(rng.random(rows) < 0.05, rng.uniform(0, 0.2, rows), 0).astype(np.float32),
            fragmentation=(1 + rng.gamma(2, 0.1, rows)).astype(np.float32),
            projections=(centres[labels] + rng.normal(0, 0.5, (rows, dimensions))).astype(np.float32),
            projection_mean=np.zeros(dimensions, dtype=np.float32),
            projection_components=np.eye(dimensions, dtype=np.float32),
        )

    return make


@pytest.fixture(scope="session")
def released_once(tmp_path_factory: pytest.TempPathFactory, make_release: Callable[..., Manifest]) -> Home:
    """Releases 0001, the stable one, and 0002, of a task whose windows have 50 rows. To be copied."""
    root = tmp_path_factory.mktemp("released")
    home = Home(root)
    for _ in range(2):
        make_release(home, monitor=MonitorSpec(window=50, min_window=20))
    promote(home, "support", "0001", by="test", reason="first", now=1.0)
    return home


@pytest.fixture
def released(home: Home, released_once: Home) -> Home:
    """The same, to be changed."""
    shutil.copytree(released_once.root, home.root, dirs_exist_ok=True)
    return home


@pytest.fixture
def judged_ids(monkeypatch: pytest.MonkeyPatch) -> dict[str, list[str]]:
    """Prediction ids by window, as they were judged and committed."""
    found: dict[str, list[str]] = {}
    real = evaluation.commit

    def commit(state: Any, verdict: Verdict, window: Any, labels: Any) -> Any:
        assert verdict.window_id not in found, "judged twice"
        found[verdict.window_id] = [row.id for row in window]
        return real(state, verdict, window, labels)

    monkeypatch.setattr(evaluation, "commit", commit)
    return found


@pytest.fixture(scope="session")
def look() -> Callable[..., list[Verdict]]:
    """One look at the log: the windows that it judged. A stream that sleeps closes none, unless `idle` is given."""

    def once(home: Home, watch: Watch, now: float, idle: float = 1e12) -> list[Verdict]:
        return list(evaluate_pending(home, "support", watch, now, idle_seconds=idle).judged)

    return once
