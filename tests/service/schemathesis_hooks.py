"""What the schema cannot say, said to schemathesis: an id names one instance, and the task classifies texts."""

from __future__ import annotations

import schemathesis


@schemathesis.hook
def filter_body(_context: schemathesis.HookContext, body: object) -> bool:
    instances = body.get("instances") if isinstance(body, dict) else None
    if not isinstance(instances, list):
        return True
    ids = [one["id"] for one in instances if isinstance(one, dict) and isinstance(one.get("id"), str)]
    return len(ids) == len(set(ids))


@schemathesis.hook
def before_call(_context: schemathesis.HookContext, case: schemathesis.Case, _kwargs: object) -> None:
    """A sound question, which the task would refuse for being one, is asked as a text."""
    instances = case.body.get("instances") if isinstance(case.body, dict) else None
    if isinstance(instances, list):
        case.body["instances"] = [_as_text(one) for one in instances]


def _as_text(instance: object) -> object:
    if not isinstance(instance, dict):
        return instance
    context = instance.get("context")
    sound = isinstance(context, str) and context.strip() and "\0" not in context and "text" not in instance
    if not sound or "question" not in instance:
        return instance
    return {"text" if name == "question" else name: instance[name] for name in instance if name != "context"}
