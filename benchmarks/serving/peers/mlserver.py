"""MLServer: the Open Inference Protocol, with adaptive batching."""

from __future__ import annotations

import json

from benchmarks.serving.peers.peer import RUNTIME, Peer, Tuning, program


def _body(text: str) -> bytes:
    return json.dumps({"inputs": [{"name": "text", "shape": [1], "datatype": "BYTES", "data": [text]}]}).encode()


def _label(answer: bytes) -> str:
    outputs = {output["name"]: output["data"] for output in json.loads(answer)["outputs"]}
    return str(outputs["label"][0])


MLSERVER = Peer(
    name="mlserver",
    requirements=("mlserver==1.7.1", "uvloop==0.21.0", "httptools==0.9.0", *RUNTIME),
    command=program("mlserver_server"),
    variables={"MLSERVER_WORKERS": "2"},
    tuning=Tuning(workers=2, threads=1, batch=4, wait_ms=0.1),
    path="/v2/models/classifier/infer",
    ready_path="/v2/health/ready",
    body=_body,
    label=_label,
    notes=(
        "Two parallel workers of one thread, uvloop and httptools, no metrics, compression or debug. Adaptive "
        "batches of at most 4 within 0.1 ms: waiting 1 ms gains nothing at 64 concurrent and delays a lone request; "
        "1, 8 and 16 were no faster; the model in the server's own process was slower. uvloop 0.21, since its "
        "workers do not start with later ones."
    ),
)
