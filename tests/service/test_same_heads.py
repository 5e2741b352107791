"""A request whose head is the latest one's, but for its length, is read as if it had been parsed."""

from __future__ import annotations

from typing import Any

import httptools
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from service.http import request_reader
from service.http.exchange import Exchange
from service.http.request_reader import RequestReader

POST = b"POST /v1/models/a:predict HTTP/1.1\r\nHost: a\r\nContent-Length: %d\r\nX-Api-Key: k\r\n\r\n"


class Noted:
    """A connection that keeps what it was told."""

    reads_on = True

    def __init__(self) -> None:
        self.exchanges: list[Exchange] = []
        self.events: list[object] = []

    def begun(self) -> None:
        self.events.append("begun")

    def asked(self, exchange: Exchange) -> None:
        scope: Any = exchange._scope
        told = {name: value for name, value in scope.items() if name != "extensions"}
        self.events.append((told, exchange.keep_alive, exchange.addressed, exchange._expects_continue))
        self.exchanges.append(exchange)

    def came(self, exchange: Exchange, size: int) -> None:
        self.events.append(size)


def read(pieces: list[bytes]) -> tuple[list[object], list[tuple[bool, bytes]]]:
    line: Any = Noted()
    reader = RequestReader(line, {"type": "http"})
    try:
        for piece in pieces:
            reader.feed(piece)
    except httptools.HttpParserError as error:
        line.events.append(type(error))
    return line.events, [(one.whole, b"".join(one._parts)) for one in line.exchanges]


lengths = st.sampled_from([b"3", b"0", b"003", b"12", b"+3", b"3 ", b"", b"-1", b"3, 3", b"99999999999"])
heads = st.sampled_from(
    [
        b"POST /a HTTP/1.1\r\nHost: a\r\nContent-Length: %b\r\n\r\n",
        b"POST /a HTTP/1.1\r\nhost: a\r\ncontent-length:%b\r\nX: 1\r\n\r\n",
        b"POST /b?c=%%20 HTTP/1.1\r\nHost: a\r\nX-Content-Length: 3\r\nContent-Length: %b\r\n\r\n",
        b"POST /a HTTP/1.1\r\nContent-Length: %b\r\n\r\n",
        b"POST /a HTTP/1.0\r\nHost: a\r\nContent-Length: %b\r\n\r\n",
        b"POST /a HTTP/1.1\r\nHost: a\r\nContent-Length: %b\r\nConnection: close\r\n\r\n",
        b"POST /a HTTP/1.1\r\nHost: a\r\nContent-Length: %b\r\nExpect: 100-continue\r\n\r\n",
        b"POST /a HTTP/1.1\r\nHost: a\r\nContent-Length: %b\r\nConnection: upgrade\r\nUpgrade: h2c\r\n\r\n",
        b"POST /a HTTP/1.1\r\nHost: a\r\nContent-Length: %b\r\nContent-Length: 3\r\n\r\n",
        b"POST /a HTTP/1.1\r\nHost: a\r\nContent-Length: %b\r\nTransfer-Encoding: chunked\r\n\r\n",
        b"\r\nPOST /a HTTP/1.1\r\nHost: a\r\nContent-Length: %b\r\n\r\n",
        b"GET /a HTTP/1.1\r\nHost: a\r\nX: %b\r\n\r\n",
        b"CONNECT a:1 HTTP/1.1\r\nHost: a\r\nContent-Length: %b\r\n\r\n",
    ]
)
bodies = st.sampled_from([b"abc", b"", b"twelve bytes", b"ab", b"POST", b"3\r\nabc\r\n0\r\n\r\n", b"abc\r\n"])
requests = st.tuples(heads, lengths, bodies).map(lambda found: found[0].replace(b"%b", found[1]) + found[2])
pieces = st.lists(requests | st.binary(max_size=4), max_size=8).flatmap(
    lambda found: st.just(found) | st.just([b"".join(found)]) | st.just([half for one in found for half in _cut(one)])
)


def _cut(data: bytes) -> list[bytes]:
    return [data[: len(data) // 2], data[len(data) // 2 :]]


@given(pieces)
@example([POST % 3 + b"abc", POST % 3 + b"abcPOST / HTTP/1.1\r\n\r\n", POST % 0, POST % 12 + b"ab", b"0" * 10])
def test_a_connection_is_read_as_if_every_head_were_parsed(found: list[bytes]) -> None:
    fast = read(found)
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(request_reader, "same_head", lambda _data, _scope: None)
        plain = read(found)
    for told in fast[0] + plain[0]:
        if isinstance(told, tuple):
            _say_lengths_alike(told[0])
    assert fast == plain


def _say_lengths_alike(scope: dict[str, Any]) -> None:
    """A number is told without the zeros before it where it was not parsed."""
    scope["headers"] = [
        (name, value.lstrip(b"0") or b"0" if name == b"content-length" else value) for name, value in scope["headers"]
    ]


def test_the_second_is_not_parsed_and_shares_nothing_with_the_first(monkeypatch: pytest.MonkeyPatch) -> None:
    line: Any = Noted()
    reader = RequestReader(line, {"type": "http"})
    reader.feed(POST % 3 + b"abc")
    monkeypatch.setattr(reader, "_parser", None)
    first: Any = line.exchanges[0]._scope
    first["headers"].clear()
    first["path"] = "/changed"
    for body in (b"four", b"", b"x" * 2000):
        reader.feed(POST % len(body) + body)
        exchange = line.exchanges[-1]
        assert exchange._scope["path"] == "/v1/models/a:predict"
        assert exchange._scope["headers"] == [
            (b"host", b"a"),
            (b"content-length", b"%d" % len(body)),
            (b"x-api-key", b"k"),
        ]
        assert exchange.whole_body() == body
