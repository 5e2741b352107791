"""Words for writing JSON Schemas (2020-12) in Python, and the schemas that several routes share."""

from __future__ import annotations

from service.requests import CALLER_ID, KEY_CHARS, MOST_SCORES, OWN_ID

Schema = dict[str, object]

# What `str.isspace` calls white space and \s does not is U+001C to U+001F and U+0085.
TEXT: Schema = {
    "type": "string",
    "minLength": 1,
    "pattern": "^[^\\u0000]*[^\\s\\u0000\\u001c-\\u001f\\u0085][^\\u0000]*$",
    "description": "Not empty, not only white space, without NUL. How long it may be is a limit of the task.",
    "examples": ["Where is my parcel?"],
}
CALLER_ID_SCHEMA: Schema = {
    "type": "string",
    "pattern": CALLER_ID,
    "not": {"pattern": OWN_ID},
    "description": "The prediction's id instead of one of the service's making; each once in a request.",
    "examples": ["order:17"],
}
SCORE: Schema = {"type": "number", "minimum": 0, "maximum": 1}
TOP_K: Schema = {
    "type": "integer",
    "minimum": 1,
    "maximum": MOST_SCORES,
    "description": "Scores of that many labels, the best first; of all labels where there are fewer.",
}
KEY: Schema = {
    "type": "string",
    "minLength": 1,
    "maxLength": KEY_CHARS,
    "description": "Requests with the same key are answered by the same release while a canary is tried.",
}


def object_of(properties: Schema, required: list[str], *, closed: bool = False, **more: object) -> Schema:
    """An object; `closed` refuses fields that are not named."""
    found: Schema = {"type": "object", "properties": properties, "required": required, **more}
    return found | {"additionalProperties": False} if closed else found


def list_of(items: object, **more: object) -> Schema:
    """A list of any length, unless `more` bounds it."""
    return {"type": "array", "items": items, **more}


def ref(name: str) -> Schema:
    """A reference to one of SCHEMAS."""
    return {"$ref": f"#/components/schemas/{name}"}
