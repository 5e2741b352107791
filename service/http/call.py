"""One request as a handler sees it, and what a handler answers."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import NamedTuple

from service.access import CALLER, OPEN_PATHS
from service.errors import HeaderInvalidError
from service.http.asgi import Headers, Receive, Scope
from service.serving import Serving

JSON = b"application/json"
TEXT = b"text/plain; charset=utf-8"
# In the metrics: a request whose caller was gone before its answer, as nginx counts it.
HUNG_UP = 499


class Answer(NamedTuple):
    """A response that is no problem."""

    status: int
    body: bytes
    content_type: bytes = JSON
    headers: tuple[tuple[bytes, bytes], ...] = ()
    task: str = ""  # where not the address but the body names it


class Call(NamedTuple):
    """One request, as a handler sees it."""

    serving: Serving
    task: str  # "" where the route has none
    body: bytes  # b"" for GET
    started: float  # monotonic
    headers: Headers
    receive: Receive  # once the body was read, it returns when the caller is gone

    def deadline(self) -> float:
        """Until when the answer is wanted, monotonic. Raises HeaderInvalidError."""
        seconds = self.serving.settings.deadline_seconds
        for name, value in self.headers:
            if name == b"x-request-timeout-ms":
                seconds = min(seconds, _milliseconds(value) / 1000)
        return self.started + seconds


@dataclass(frozen=True, slots=True)
class Route:
    """One address: `name` is its label in the metrics."""

    name: str
    method: str
    handle: Callable[[Call], Awaitable[Answer]]
    tensors: bool = False  # whether binary tensors may follow the JSON of the body


def admit(serving: Serving, scope: Scope) -> None:
    """Before anything of a request is read or told. Raises UnauthorizedError."""
    if scope["path"] not in OPEN_PATHS and (caller := serving.keys.caller(scope["headers"])):
        CALLER.set(caller)


def instance_of(scope: Scope) -> str:
    """The address that a problem names."""
    raw: bytes = scope.get("raw_path") or scope["path"].encode("ascii", "replace")
    return raw[:500].decode("ascii", "replace")


def _milliseconds(value: bytes) -> float:
    shown = value.decode("latin-1").strip()
    if not (shown.isascii() and shown.isdigit() and 0 < int(shown[:12]) <= 10**9):
        raise HeaderInvalidError("X-Request-Timeout-Ms", "a whole number of milliseconds from 1 on", shown)
    return float(shown)
