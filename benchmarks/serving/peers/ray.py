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
        "RAY_SERVE_HAPROXY_NBTHREAD": "1",
        "RAY_SERVE_HAPROXY_METRICS_ENABLED": "0",
    },
    tuning=Tuning(workers=2, threads=1, batch=16),
    path="/classify",
    ready_path="/-/healthz",
    body=text_body,
    label=answer_label,
    notes=(
        "The throughput settings of its documentation (HAProxy in front, direct ingress, user code in the replica's "
        "loop), two replicas of one thread, @serve.batch of at most 16 with no wait. Batches of 2, 4 and 8 were no "
        "faster; without HAProxy it was slower."
    ),
)
