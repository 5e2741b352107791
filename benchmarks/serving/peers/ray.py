"""Ray Serve with `@serve.batch`."""

from __future__ import annotations

from benchmarks.serving.peers.peer import RUNTIME, Peer, Tuning, answer_label, program, text_body

RAY = Peer(
    name="ray",
    requirements=("ray[serve]==2.60.0", *RUNTIME),
    command=program("ray_server"),
    variables={
        "RAY_USAGE_STATS_ENABLED": "0",
        "RAY_SERVE_THROUGHPUT_OPTIMIZED": "1",
        "RAY_SERVE_ENABLE_HA_PROXY": "1",
    },
    tuning=Tuning(workers=2, threads=1, batch=16),
    path="/classify",
    ready_path="/-/healthz",
    body=text_body,
    label=answer_label,
    notes="",
)
