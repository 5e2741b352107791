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
    tuning=Tuning(workers=2, threads=1, batch=4, wait_ms=60_000),
    path="/classify",
    ready_path="/readyz",
    body=lambda text: json.dumps({"texts": [text]}).encode(),
    label=lambda answer: str(json.loads(answer)[0]["label"]),
    notes=(
        "Two workers of one thread, as many as cores; uvloop and httptools; metrics and access log off. Batches of "
        "at most 4: its dispatcher joins texts in order of arrival, and the padding of larger ones (8, 16, 32 "
        "tried) costs more than a session run. The latency limit stays at its default of a minute, since a lower "
        "one makes it refuse requests."
    ),
)
