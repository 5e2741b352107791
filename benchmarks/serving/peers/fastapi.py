"""FastAPI and onnxruntime, as most teams begin, and with the batching that they add next."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from benchmarks.serving.peers.peer import PROGRAMS, RUNTIME, Peer, Tuning, answer_label, text_body


def _command(python: Path, _release: Path, port: int) -> list[str]:
    target = f"{PROGRAMS}.fastapi_server:app"
    options = ["--workers", str(FASTAPI.tuning.workers), "--loop", "uvloop", "--http", "httptools"]
    quiet = ["--no-access-log", "--log-level", "warning"]
    return [str(python), "-m", "uvicorn", target, "--port", str(port), *options, *quiet]


FASTAPI = Peer(
    name="fastapi",
    requirements=("fastapi==0.165.0", "uvicorn==0.54.0", "uvloop==0.23.0", "httptools==0.9.0", *RUNTIME),
    command=_command,
    tuning=Tuning(workers=2, threads=1, batch=1),
    path="/classify",
    ready_path="/ready",
    body=text_body,
    label=answer_label,
    notes=(
        "Two uvicorn workers of one thread with uvloop and httptools, the session on a thread beside the event "
        "loop. No batches: of texts of very unlike lengths it answers the most so. One worker with two threads, asleep "
        "or spinning, was slower."
    ),
)

FASTAPI_BATCHED = replace(
    FASTAPI,
    name="fastapi-batched",
    tuning=replace(FASTAPI.tuning, batch=8),
    notes="As fastapi, with batches of at most 8 of what waits: of many short texts it answers the most so.",
)
