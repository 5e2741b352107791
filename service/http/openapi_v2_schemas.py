"""JSON Schemas of what /v2, the Open Inference Protocol, reads and answers, with examples."""

from __future__ import annotations

from service.http.json_schema import KEY, TOP_K, Schema, list_of, object_of, ref
from service.http.open_inference_kinds import TENSORS, every_output

_OUTPUTS = every_output()
_KINDS = {
    "classification": "`label`, `score`; with top_k `labels` and `scores`, [n, k]",
    "classification with several labels a text": "`label`, `score`, `labels` (JSON: those that count, each with its "
    "score); with top_k `ranked_labels` and `ranked_scores`, [n, k]",
    "token classification": "`entities` (JSON)",
    "question answering": "`answer`, `score`, `start`, `end`",
    "similarity": "`embedding`, [n, hidden]",
}
_ANSWERED = "; ".join(f"{kind}: {outputs}" for kind, outputs in _KINDS.items())


def _input(name: str) -> Schema:
    return object_of(
        {
            "name": {"const": name},
            "datatype": {"const": "BYTES"},
            "shape": list_of({"type": "integer", "minimum": 1}, minItems=1, maxItems=2),
            "parameters": object_of({"binary_data_size": {"type": "integer", "minimum": 0}}, [], closed=True),
            "data": list_of({"oneOf": [ref("Text"), list_of(ref("Text"), minItems=1, maxItems=1)]}),
        },
        ["name", "datatype", "shape"],
        closed=True,
        description="Shape [n] or [n, 1].",
    )


V2_SCHEMAS: dict[str, Schema] = {
    **{f"Input-{name}": _input(name) for tensors in TENSORS.values() for name in tensors.inputs},
    "InferRequest": object_of(
        {
            "id": {"type": "string", "description": "Sent back as it came."},
            "parameters": object_of(
                {
                    "top_k": TOP_K,
                    "key": KEY,
                    "timeout": {
                        "type": "integer",
                        "minimum": 0,
                        "description": "Microseconds after which no answer is wanted any more; 0: none.",
                    },
                    "binary_data_output": {"type": "boolean", "description": "All tensors of the answer are binary."},
                },
                [],
                closed=True,
            ),
            "inputs": {
                "anyOf": [
                    list_of(
                        {"anyOf": [ref(f"Input-{name}") for name in tensors.inputs]},
                        minItems=len(tensors.inputs),
                        maxItems=len(tensors.inputs),
                    )
                    for tensors in (TENSORS["classification"], TENSORS["question-answering"])
                ],
                "description": "`text`; of question answering `question` and `context`, with as many values.",
            },
            "outputs": list_of(
                object_of(
                    {
                        "name": {"enum": list(_OUTPUTS)},
                        "parameters": object_of({"binary_data": {"type": "boolean"}}, [], closed=True),
                    },
                    ["name"],
                    closed=True,
                ),
                maxItems=len(_OUTPUTS),
                uniqueItems=True,
                description="All of the task's kind where it is missing, those of top_k only with it.",
            ),
        },
        ["inputs"],
        closed=True,
        examples=[
            {
                "id": "42",
                "inputs": [{"name": "text", "datatype": "BYTES", "shape": [1], "data": ["Where is my parcel?"]}],
            }
        ],
    ),
    "InferAnswer": object_of(
        {
            "model_name": {"type": "string"},
            "model_version": {"type": "string"},
            "id": {"type": "string"},
            "outputs": list_of(
                object_of(
                    {
                        "name": {"enum": list(_OUTPUTS)},
                        "datatype": {"enum": sorted(set(_OUTPUTS.values()))},
                        "shape": list_of({"type": "integer", "minimum": 0}),
                        "parameters": {"type": "object"},
                        "data": list_of(True),
                    },
                    ["name", "datatype", "shape"],
                )
            ),
        },
        ["model_name", "model_version", "outputs"],
        description=f"Beside `id` and `truncated`, by the task's kind: {_ANSWERED}.",
    ),
    "ServerMetadata": object_of(
        {
            "name": {"type": "string"},
            "version": {"type": "string"},
            "extensions": list_of({"type": "string"}),
        },
        ["name", "version", "extensions"],
    ),
    "ModelMetadata": object_of(
        {
            "name": {"type": "string"},
            "versions": list_of({"type": "string"}),
            "platform": {"type": "string"},
            "inputs": list_of(ref("TensorMetadata")),
            "outputs": list_of(ref("TensorMetadata")),
        },
        ["name", "versions", "platform", "inputs", "outputs"],
    ),
    "TensorMetadata": object_of(
        {
            "name": {"type": "string"},
            "datatype": {"type": "string"},
            "shape": list_of({"type": "integer", "minimum": -1}),
        },
        ["name", "datatype", "shape"],
    ),
    "Live": object_of({"live": {"const": True}}, ["live"]),
    "Ready": object_of({"ready": {"const": True}}, ["ready"]),
    "ModelReady": object_of({"name": {"type": "string"}, "ready": {"const": True}}, ["name", "ready"]),
    "ProtocolError": object_of({"error": {"type": "string"}}, ["error"]),
}
