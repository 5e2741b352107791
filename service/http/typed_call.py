"""A request of the typed endpoint as both ends of it see it, past what of BentoML is between them."""

from __future__ import annotations

from contextvars import ContextVar
from dataclasses import dataclass

from service.http.call import Call


@dataclass(slots=True)
class TypedCall:
    """What came, and what the endpoint refused it with, which BentoML would tell in words of its own or not at all."""

    call: Call
    refused: Exception | None = None


# Of the request that this task answers. BentoML answers in a task of its own, whose context has the same object.
TYPED: ContextVar[TypedCall] = ContextVar("typed")
