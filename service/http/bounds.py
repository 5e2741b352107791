"""The bounds of a server's connections."""

from __future__ import annotations

from collections.abc import Callable

from service.errors import HostInvalidError
from service.http.asgi import AsgiApp, Receive, Scope, Send, send_answer
from service.http.connections import MAX_HEAD_BYTES, Connection
from service.http.exchange import DefaultHead
from service.http.problems import problem_of
from service.http.sweeper import Sweeper
from service.http.turns import Bodies

# A chunk of one byte takes six on the way; what is more than this beside a body is trailers without end.
_FRAMING = 8
# Of a bound: how much later than told a connection may be closed.
_LATENESS = 0.25
# Bodies that wait to be whole, of all connections together, in multiples of the longest one.
_BODIES = 16


def bounded_protocol(
    *,
    head_seconds: float,
    keep_alive_seconds: float,
    max_body_bytes: int,
    max_connections: int = 2**31,
    refused: Callable[[int], object] = lambda _: None,
) -> type[Connection]:
    """The protocol of one server: the whole head of a request comes within `head_seconds`, from its first
    byte or, for the first one, from connecting; and no connection idles for more than `keep_alive_seconds`.

    Heads above MAX_HEAD_BYTES are refused with 431 (one that comes in a single piece is not), slow ones with 408.
    `max_body_bytes` is what the application allows; far above it a connection is broken, and where so many bodies are
    coming that they would take 16 times that, further ones are refused with 503, as are connections above
    `max_connections`. `refused` is told the status of each answer that the application never sees.
    """
    bounds = {
        "head_seconds": head_seconds,
        "idle_seconds": keep_alive_seconds,
        "message_bytes": MAX_HEAD_BYTES + _FRAMING * max_body_bytes,
        "most_connections": max_connections,
        "bodies": Bodies(_BODIES * max_body_bytes),
        "refused": staticmethod(refused),
        "misaddressed": staticmethod(_refusing(HostInvalidError(), refused)),
        "head": DefaultHead(),
        "sweeper": Sweeper(_LATENESS * min(head_seconds, keep_alive_seconds, 4.0)),
    }
    return type("BoundedConnection", (Connection,), bounds)


def _refusing(error: Exception, refused: Callable[[int], object]) -> AsgiApp:
    problem = problem_of(error, "")

    async def refuse(_scope: Scope, _receive: Receive, send: Send) -> None:
        refused(problem.status)
        await send_answer(send, problem.status, problem.body, problem.content_type, problem.headers)

    return refuse
