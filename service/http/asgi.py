"""Reading requests and sending answers in plain ASGI: what a framework would do at twenty times the price."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable, MutableMapping
from functools import lru_cache
from typing import Any

from service.errors import BodyTooLargeError, BodyTooSlowError, MediaTypeError

# The ASGI specification types messages as open dictionaries.
Message = MutableMapping[str, Any]
Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
AsgiApp = Callable[[Scope, Receive, Send], Awaitable[None]]
Headers = list[tuple[bytes, bytes]]

# A caller that stalls in the middle of its body holds a connection; none needs this long for the largest body.
BODY_SECONDS = 30.0

_UTF8 = ("utf-8", "utf8", "us-ascii")


class DisconnectedError(Exception):
    """The caller hung up before its request was whole: there is nobody to answer."""


def check_json(headers: Headers) -> None:
    """Of a request that says it is JSON, or says nothing of its type. Raises MediaTypeError for any other."""
    for name, value in headers:
        if name == b"content-type":
            _check_type(value)
        elif name == b"content-encoding" and value.strip().lower() != b"identity":
            raise MediaTypeError("Content-Encoding", ascii(value.decode("latin-1")[:100]))


def check_tensors(headers: Headers) -> None:
    """Of a request whose JSON may be followed by binary tensors, which a header then announces.

    Raises MediaTypeError.
    """
    names = {name for name, _ in headers}
    # A page of another site cannot set that header unasked, nor send JSON: its forms get no further than this.
    if b"inference-header-content-length" not in names or b"content-encoding" in names:
        check_json(headers)


async def read_body(scope: Scope, receive: Receive, limit: int, seconds: float = BODY_SECONDS) -> bytes:
    """The whole body.

    Raises BodyTooLargeError (as soon as more than `limit` bytes are announced or have come), BodyTooSlowError and
    DisconnectedError.
    """
    for name, value in scope["headers"]:
        # The server has refused what is not a number.
        if name == b"content-length" and int(value) > limit:
            raise BodyTooLargeError(limit)
    # Our own connections say at once whether all of it is there, as it mostly is.
    whole_body = scope.get("extensions", {}).get("perennial.whole_body")
    whole: bytes | None = whole_body() if whole_body is not None else None
    if whole is not None:
        return _within(whole, limit)
    try:
        async with asyncio.timeout(seconds):
            return await _whole(receive, limit)
    except TimeoutError as error:
        raise BodyTooSlowError(seconds) from error


async def _whole(receive: Receive, limit: int) -> bytes:
    message = await receive()
    if message["type"] == "http.request" and not message.get("more_body"):
        return _within(message.get("body", b""), limit)
    parts: list[bytes] = []
    size = 0
    while message["type"] == "http.request":
        part: bytes = message.get("body", b"")
        size += len(part)
        parts.append(part)
        if size > limit:
            raise BodyTooLargeError(limit)
        if not message.get("more_body"):
            return b"".join(parts)
        message = await receive()
    raise DisconnectedError


def replayed(body: bytes, receive: Receive) -> Receive:
    """What a body that was read already is received from again; what comes behind it is the server's to say."""
    waiting = [body]

    async def again() -> Message:
        return {"type": "http.request", "body": waiting.pop(), "more_body": False} if waiting else await receive()

    return again


async def send_answer(
    send: Send, status: int, body: bytes, content_type: bytes, extra: Iterable[tuple[bytes, bytes]]
) -> None:
    """One whole response."""
    headers = answer_headers(body, content_type, extra)
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})


def answer_headers(body: bytes, content_type: bytes, extra: Iterable[tuple[bytes, bytes]]) -> Headers:
    """Of one whole response."""
    return [(b"content-type", content_type), (b"content-length", b"%d" % len(body)), *extra]


def _within(body: bytes, limit: int) -> bytes:
    if len(body) > limit:
        raise BodyTooLargeError(limit)
    return body


@lru_cache(16)  # few, since callers may make up any
def _check_type(value: bytes) -> None:
    kind, *parameters = (part.strip().lower() for part in value.decode("latin-1").split(";"))
    is_json = kind in ("", "application/json") or (kind.startswith("application/") and kind.endswith("+json"))
    charsets = [part.partition("=")[2].strip('" ') for part in parameters if part.startswith("charset=")]
    if not is_json or any(charset not in _UTF8 for charset in charsets):
        raise MediaTypeError("Content-Type", ascii(value.decode("latin-1")[:100]))
