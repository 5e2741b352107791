"""JSON Schemas of questions, answers and vectors, with examples."""

from __future__ import annotations

from service.http.json_schema import CALLER_ID_SCHEMA, KEY, SCORE, Schema, list_of, object_of, ref

QUESTION_EXAMPLES: dict[str, Schema] = {
    "questions": {"instances": [{"question": "When is it due?", "context": "The parcel is due on Tuesday."}]},
}
_ID: Schema = {"type": "string", "examples": ["1jqxz3d5k8m2v7r0w4t6y9a1bc"]}
_VECTOR = list_of({"type": "number"}, description="Of length one: the product of two is their cosine.")

KIND_SCHEMAS: dict[str, Schema] = {
    "AnyPredictRequest": {"anyOf": [ref("PredictRequest"), ref("QuestionsRequest")]},
    "QuestionsRequest": object_of(
        {
            "instances": list_of(
                object_of(
                    {
                        "question": ref("Text"),
                        "context": {**ref("Text"), "description": "Of any length: it is read in windows."},
                        "id": CALLER_ID_SCHEMA,
                    },
                    ["question", "context"],
                    closed=True,
                ),
                minItems=1,
            ),
            "parameters": object_of({"version": ref("ReleaseVersion"), "key": KEY}, [], closed=True),
        },
        ["instances"],
        closed=True,
        description="Of question answering.",
        examples=list(QUESTION_EXAMPLES.values()),
    ),
    "AnswerPrediction": object_of(
        {
            "id": _ID,
            "answer": {"type": "string", "description": "A stretch of the context; empty: it holds no answer."},
            "score": {**SCORE, "description": "How often such an answer is exactly right."},
            "start": {"type": "integer", "minimum": 0, "description": "The answer's first character in the context."},
            "end": {"type": "integer", "minimum": 0, "description": "The place behind its last one."},
            "truncated": {"type": "boolean", "description": "The question was too long for a window, or a limit cut."},
        },
        ["id", "answer", "score", "start", "end"],
        description="Of question answering. Places count Unicode characters, not bytes, from 0.",
        examples=[{"id": "1jqxz3d5k8m2v7r0w4t6y9a1bc", "answer": "on Tuesday", "score": 0.82, "start": 18, "end": 28}],
    ),
    "VectorPrediction": object_of(
        {"id": _ID, "embedding": _VECTOR, "truncated": {"type": "boolean"}},
        ["id", "embedding"],
        description="Of similarity.",
    ),
    "EmbeddingsRequest": object_of(
        {
            "model": {"type": "string", "minLength": 1, "description": "A task of kind similarity."},
            "input": {"anyOf": [ref("Text"), list_of(ref("Text"), minItems=1)]},
            "encoding_format": {"enum": ["float", "base64"], "description": "base64: of little-endian float32."},
            "dimensions": {"type": "integer", "minimum": 1, "description": "Only that of the task's vectors."},
            "user": KEY,
        },
        ["model", "input"],
        closed=True,
        examples=[{"model": "search", "input": ["Where is my parcel?", "I was charged twice"]}],
    ),
    "Embeddings": object_of(
        {
            "object": {"const": "list"},
            "data": list_of(
                object_of(
                    {
                        "object": {"const": "embedding"},
                        "index": {"type": "integer", "minimum": 0},
                        "embedding": {"anyOf": [_VECTOR, {"type": "string", "contentEncoding": "base64"}]},
                    },
                    ["object", "index", "embedding"],
                )
            ),
            "model": {"type": "string"},
            "usage": object_of(
                {"prompt_tokens": {"type": "integer"}, "total_tokens": {"type": "integer"}},
                ["prompt_tokens", "total_tokens"],
            ),
        },
        ["object", "data", "model", "usage"],
    ),
}
