"""mosec: an HTTP server in Rust, workers in Python."""

from __future__ import annotations

from benchmarks.serving.peers.peer import RUNTIME, Peer, Tuning, answer_label, program, text_body

MOSEC = Peer(
    name="mosec",
    requirements=("mosec==0.9.8", "orjson==3.13.0", *RUNTIME),
    command=program("mosec_server"),
    tuning=Tuning(workers=2, threads=1, batch=16, wait_ms=2),
    path="/inference",
    ready_path="/",
    body=text_body,
    label=answer_label,
    notes="",
)
