"""Infinity, a server of embedding models and classifiers, with its ONNX engine."""

from __future__ import annotations

import json

from benchmarks.serving.peers.peer import RUNTIME, Peer, Tuning, program


def _body(text: str) -> bytes:
    return json.dumps({"input": [text], "model": "classifier"}).encode()


def _label(answer: bytes) -> str:
    scores = json.loads(answer)["data"][0]
    return str(max(scores, key=lambda one: float(one["score"]))["label"])


INFINITY = Peer(
    name="infinity",
    requirements=(
        "infinity_emb[server,optimum]==0.0.78",
        "optimum==2.1.0",
        "optimum-onnx==0.1.0",
        "transformers==4.57.6",
        "torch==2.13.0",
        "numpy==1.26.4",
        *(pin for pin in RUNTIME if not pin.startswith("numpy")),
    ),
    command=program("infinity_server"),
    variables={"INFINITY_ANONYMOUS_USAGE_STATS": "0", "HF_HUB_OFFLINE": "1"},
    tuning=Tuning(workers=1, threads=2, batch=64),
    path="/classify",
    ready_path="/health",
    body=_body,
    label=_label,
    notes=(
        "Its ONNX engine on the CPU, batches of at most 64 (4, 8, 16 and 32 tried; it sorts by length itself). One "
        "process: it knows no workers on the CPU. It answers the scores of all labels and applies no temperature, "
        "so scores differ from ours and labels do not; it cuts no text, so texts above 512 tokens would fail."
    ),
)
