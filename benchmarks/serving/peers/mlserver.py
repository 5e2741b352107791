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
    requirements=("mlserver==1.7.1", "uvloop==0.21.0", *RUNTIME),
    command=program("mlserver_server"),
    variables={"MLSERVER_WORKERS": "2"},
    tuning=Tuning(workers=2, threads=1, batch=16, wait_ms=2),
    path="/v2/models/classifier/infer",
    ready_path="/v2/health/ready",
    body=_body,
    label=_label,
    notes="",
)
