"""BentoML with a batchable endpoint, nothing in front of it."""

from __future__ import annotations

import json
from pathlib import Path

from benchmarks.serving.peers.peer import PROGRAMS, RUNTIME, Peer, Tuning


def _command(python: Path, _release: Path, port: int) -> list[str]:
    target = f"{PROGRAMS}.bentoml_server:Classifier"
    return [str(python), "-m", "bentoml", "serve", target, "--port", str(port)]


BENTOML = Peer(
    name="bentoml",
    requirements=("bentoml==1.4.39", "uvloop==0.23.0", "httptools==0.9.0", *RUNTIME),
    command=_command,
    variables={"BENTOML_DO_NOT_TRACK": "True"},
    tuning=Tuning(workers=2, threads=1, batch=32, wait_ms=60_000),
    path="/classify",
    ready_path="/readyz",
    body=lambda text: json.dumps({"texts": [text]}).encode(),
    label=lambda answer: str(json.loads(answer)[0]["label"]),
    notes="",
)
