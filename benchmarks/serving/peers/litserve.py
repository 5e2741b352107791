"""LitServe: FastAPI in front, workers behind a queue."""

from __future__ import annotations

from benchmarks.serving.peers.peer import RUNTIME, Peer, Tuning, answer_label, program, text_body

LITSERVE = Peer(
    name="litserve",
    requirements=("litserve==0.2.19", "uvloop==0.23.0", "httptools==0.9.0", "pyzmq==27.3.0", *RUNTIME),
    command=program("litserve_server"),
    variables={"LITSERVE_FAST_QUEUE": "1", "LITSERVE_API_SERVERS": "2"},
    tuning=Tuning(workers=2, threads=1, batch=1),
    path="/predict",
    ready_path="/health",
    body=text_body,
    label=answer_label,
    notes=(
        "Two workers of one thread, two API servers, fast_queue (ZeroMQ), uvloop and httptools. No batches: it "
        "waits its whole batch_timeout or polls, and batches of 4, 8 and 16 were no faster. Nor were one API server "
        "and the queue of multiprocessing."
    ),
)
