"""JSON Schemas of what /v1 reads and answers, with examples. What a task's own limits are is not in them."""

from __future__ import annotations

from contracts.schema import VERSION
from service.http.json_schema import CALLER_ID_SCHEMA, KEY, SCORE, TEXT, TOP_K, Schema, list_of, object_of, ref
from service.requests import VERSION_CHARS

PREDICT_EXAMPLES: dict[str, Schema] = {
    "texts": {"instances": ["Where is my parcel?", "I was charged twice"]},
    "ids and options": {
        "instances": [{"text": "Where is my parcel?", "id": "order:17"}],
        "parameters": {"top_k": 2, "key": "customer-17"},
    },
}

V1_SCHEMAS: dict[str, Schema] = {
    "Text": TEXT,
    "ReleaseVersion": {
        "type": "string",
        "pattern": VERSION,
        "maxLength": VERSION_CHARS,
        "description": "A release that is loaded; else the rollout chooses.",
        "examples": ["0001"],
    },
    "PredictRequest": object_of(
        {
            "instances": list_of(
                {
                    "oneOf": [
                        ref("Text"),
                        object_of(
                            {
                                "text": ref("Text"),
                                "id": CALLER_ID_SCHEMA,
                            },
                            ["text"],
                            closed=True,
                        ),
                    ]
                },
                minItems=1,
            ),
            "parameters": object_of(
                {
                    "top_k": TOP_K,
                    "all_scores": {"type": "boolean", "description": "Scores of all labels, the best first."},
                    "version": ref("ReleaseVersion"),
                    "key": KEY,
                },
                [],
                closed=True,
            ),
        },
        ["instances"],
        closed=True,
        examples=list(PREDICT_EXAMPLES.values()),
    ),
    "Predictions": object_of(
        {
            "predictions": list_of(ref("Prediction"), description="In the order of the instances."),
            "model_version": {"type": "string", "pattern": VERSION},
        },
        ["predictions", "model_version"],
        examples=[
            {
                "predictions": [{"id": "1jqxz3d5k8m2v7r0w4t6y9a1bc", "label": "delivery", "score": 0.98}],
                "model_version": "0001",
            }
        ],
    ),
    "Prediction": {
        "anyOf": [ref(f"{kind}Prediction") for kind in ("Label", "Entities", "Answer", "Vector")],
    },
    "LabelPrediction": object_of(
        {
            "id": {"type": "string", "description": "Names this prediction when its true label is sent."},
            "label": {
                "type": "string",
                "description": 'Where a text may have several labels: all that count, joined by "+", or "none".',
            },
            "labels": list_of(
                object_of({"label": {"type": "string"}, "score": SCORE}, ["label", "score"]),
                description="Where a text may have several labels: those that count, in the order of the task's.",
            ),
            "score": {**SCORE, "description": "Calibrated probability of the label."},
            "scores": list_of(
                object_of({"label": {"type": "string"}, "score": SCORE}, ["label", "score"]),
                description="With top_k or all_scores: the best first.",
            ),
            "truncated": {"type": "boolean", "description": "The text was cut to a limit of the task or the model."},
        },
        ["id", "label", "score"],
        description="Of classification.",
    ),
    "EntitiesPrediction": object_of(
        {
            "id": {"type": "string"},
            "entities": list_of(
                object_of(
                    {
                        "text": {"type": "string"},
                        "label": {"type": "string", "description": "The type of entity."},
                        "score": SCORE,
                        "start": {"type": "integer", "minimum": 0, "description": "Its first character in the text."},
                        "end": {"type": "integer", "minimum": 1, "description": "The place behind its last one."},
                    },
                    ["text", "label", "score", "start", "end"],
                ),
                description="In the order of the text.",
            ),
            "truncated": {"type": "boolean", "description": "No entity was looked for behind a limit's cut."},
        },
        ["id", "entities"],
        description="Of token classification. Places count Unicode characters, not bytes, from 0.",
        examples=[
            {
                "id": "1jqxz3d5k8m2v7r0w4t6y9a1bc",
                "entities": [{"text": "Rome", "label": "location", "score": 0.97, "start": 6, "end": 10}],
            }
        ],
    ),
    "Feedback": object_of(
        {
            "items": list_of(
                object_of(
                    {"id": {"type": "string", "minLength": 1}, "label": {"type": "string", "minLength": 1}},
                    ["id", "label"],
                    closed=True,
                ),
                minItems=1,
                maxItems=4096,
            )
        },
        ["items"],
        closed=True,
        examples=[{"items": [{"id": "1jqxz3d5k8m2v7r0w4t6y9a1bc", "label": "billing"}]}],
    ),
    "FeedbackAccepted": object_of(
        {
            "accepted": {"type": "integer", "minimum": 1},
            "unverified": {
                "type": "integer",
                "minimum": 1,
                "description": "How many of them name ids of callers' own making, which are taken on trust.",
            },
        },
        ["accepted"],
        examples=[{"accepted": 1}],
    ),
    "Model": object_of(
        {
            "name": {"type": "string"},
            "kind": {"type": ["string", "null"]},
            "version": {"type": ["string", "null"]},
            "state": {"type": "string"},
        },
        ["name", "kind", "version", "state"],
    ),
    "Models": object_of({"models": list_of(ref("Model"))}, ["models"]),
    "ModelDetail": {
        "allOf": [
            ref("Model"),
            object_of(
                {
                    "labels": list_of({"type": "string"}),
                    "limits": {"type": ["object", "null"], "description": "What a request may hold."},
                    "metrics": {"type": "object", "additionalProperties": {"type": "number"}},
                    "created": {"type": ["number", "null"], "description": "Seconds since the epoch."},
                    "problem": {"type": ["string", "null"]},
                },
                ["labels", "limits", "metrics", "created", "problem"],
            ),
        ]
    },
    "Problem": object_of(
        {
            "type": {"type": "string", "description": "urn:perennial:problem:NAME; for programs."},
            "title": {"type": "string"},
            "status": {"type": "integer"},
            "detail": {"type": "string", "description": "What was expected, what was found, what to do."},
            "instance": {"type": "string"},
            "errors": list_of(
                object_of({"pointer": {"type": "string"}, "detail": {"type": "string"}}, ["pointer", "detail"])
            ),
        },
        ["type", "title", "status", "detail", "instance"],
        description="RFC 9457",
    ),
    "TypedRequest": object_of(
        {"task": {"type": "string"}, "instances": list_of(ref("Text"), minItems=1)},
        ["task", "instances"],
        closed=True,
    ),
}
