"""What the schema cannot say, said to schemathesis: an id names one instance of a request."""

from __future__ import annotations

import schemathesis


@schemathesis.hook
def filter_body(_context: schemathesis.HookContext, body: object) -> bool:
    instances = body.get("instances") if isinstance(body, dict) else None
    if not isinstance(instances, list):
        return True
    ids = [one["id"] for one in instances if isinstance(one, dict) and isinstance(one.get("id"), str)]
    return len(ids) == len(set(ids))
