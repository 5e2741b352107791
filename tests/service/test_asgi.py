"""Reading a body: whole, too large, or never finished."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

import pytest

from service.errors import BodyTooLargeError, BodyTooSlowError
from service.http.asgi import Message, Receive, read_body

SCOPE = {"type": "http", "headers": []}


def coming(parts: Sequence[bytes], *, ends: bool) -> Receive:
    waiting = list(parts)

    async def receive() -> Message:
        if not waiting:
            await asyncio.sleep(3600)
        return {"type": "http.request", "body": waiting.pop(0), "more_body": bool(waiting) or not ends}

    return receive


def test_a_body_in_parts_is_put_together() -> None:
    assert asyncio.run(read_body(SCOPE, coming([b"ab", b"", b"c"], ends=True), 3)) == b"abc"


def test_a_body_is_too_large_as_soon_as_it_is() -> None:
    with pytest.raises(BodyTooLargeError):
        asyncio.run(read_body(SCOPE, coming([b"ab", b"cd"], ends=False), 3))


@pytest.mark.parametrize("parts", [[], [b"ab"]])
def test_a_body_that_stops_coming_is_given_up(parts: list[bytes]) -> None:
    with pytest.raises(BodyTooSlowError, match=r"within 0\.05 s"):
        asyncio.run(read_body(SCOPE, coming(parts, ends=False), 3, seconds=0.05))
