"""mosec: an HTTP server in Rust, workers in Python. No one tuning is best under every load, so it runs in two."""

from __future__ import annotations

from dataclasses import replace

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
        "Two workers of one thread, orjson for bodies. No batches: of one text at a time and of texts of very unlike "
        "lengths it answers the most so. Three workers on two cores were slower."
    ),
)

MOSEC_BATCHED = replace(
    MOSEC,
    name="mosec-batched",
    tuning=replace(MOSEC.tuning, batch=8, wait_ms=1.0),
    notes=(
        "As mosec, with batches of at most 8: of many short texts it answers the most so, but a lone request waits the "
        "whole max_wait_time (1 ms is the least that it takes), and long texts pad short ones. Batches of 16 were "
        "slower at 16 and 64 connections."
    ),
)
