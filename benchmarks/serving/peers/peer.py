"""What the benchmark knows of a server that it measures beside Perennial."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

CHECKOUT = Path(__file__).resolve().parents[3]
PROGRAMS = "benchmarks.serving.peers.programs"

# Every peer runs the same model with the same libraries.
RUNTIME = ("numpy==2.4.6", "onnxruntime==1.31.1", "tokenizers==0.22.2")


@dataclass(frozen=True)
class Tuning:
    """Settings of a peer that were tried, and found best, on a machine of two cores."""

    workers: int  # processes that run the model
    threads: int  # of one session run
    batch: int = 1  # texts at most; 1: no batching
    wait_ms: float = 0.0  # for a batch to fill, at most
    spinning: bool = False  # of idle threads of a session


@dataclass(frozen=True)
class Peer:
    """A server under test: how to install, start and ask it.

    `ready_path` answers 200 once the process listens; some peers answer so before their model is loaded, so wait for
    a first right answer as well.
    """

    name: str
    requirements: tuple[str, ...]  # exact pins
    command: Callable[[Path, Path, int], list[str]]  # python of its environment, release folder, port
    tuning: Tuning
    path: str  # to POST to
    ready_path: str
    notes: str  # what was tuned, and why
    body: Callable[[str], bytes]  # the request for one text
    label: Callable[[bytes], str]  # of the answer to it
    variables: Mapping[str, str] = field(default_factory=dict)  # for its environment, beside what `environment` sets

    def environment(self, release: Path, port: int) -> dict[str, str]:
        """Variables to start it with, on top of those of the calling process."""
        return {
            "PYTHONPATH": str(CHECKOUT),
            "PYTHONUNBUFFERED": "1",
            # Threads beside those of the sessions would only compete with them.
            "TOKENIZERS_PARALLELISM": "false",
            "OMP_NUM_THREADS": str(self.tuning.threads),
            "DO_NOT_TRACK": "1",
            "PEER_RELEASE": str(release),
            "PEER_PORT": str(port),
            "PEER_WORKERS": str(self.tuning.workers),
            "PEER_THREADS": str(self.tuning.threads),
            "PEER_BATCH": str(self.tuning.batch),
            "PEER_WAIT_MS": str(self.tuning.wait_ms),
            "PEER_SPINNING": str(int(self.tuning.spinning)),
            **self.variables,
        }


def program(name: str) -> Callable[[Path, Path, int], list[str]]:
    """The command of a peer whose server is a program of ours; release and port reach it by its environment."""

    def command(python: Path, _release: Path, _port: int) -> list[str]:
        return [str(python), "-m", f"{PROGRAMS}.{name}"]

    return command


def text_body(text: str) -> bytes:
    """`{"text": ...}`"""
    return json.dumps({"text": text}).encode()


def answer_label(answer: bytes) -> str:
    """The label of `{"label": ..., "score": ...}`."""
    return str(json.loads(answer)["label"])
