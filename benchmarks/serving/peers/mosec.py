"""mosec: an HTTP server in Rust, workers in Python."""

from __future__ import annotations

from benchmarks.serving.peers.peer import RUNTIME, Peer, Tuning, answer_label, program, text_body

MOSEC = Peer(
    name="mosec",
    requirements=("mosec==0.9.8", "orjson==3.13.0", *RUNTIME),
    command=program("mosec_server"),
    tuning=Tuning(workers=2, threads=1, batch=1),
    path="/inference",
    ready_path="/",
    body=text_body,
    label=answer_label,
    notes=(
        "Two workers of one thread, orjson for bodies. No batches: batches of 2, 4, 8 and 16 make a lone request "
        "wait the whole max_wait_time (1 ms is the least that it takes) and were slower at 64 concurrent, for the "
        "padding. Three workers on two cores were slower."
    ),
)
