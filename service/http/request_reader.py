"""From bytes of a connection to requests: httptools parses, each request becomes an `Exchange`."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Protocol
from urllib.parse import unquote

import httptools

from service.http.asgi import Headers
from service.http.exchange import Exchange, Line

_UPGRADE = re.compile(rb"\r\nupgrade:[^\r\n]*", re.IGNORECASE)


class Asked(Line, Protocol):
    """Who is told of what was read."""

    def begun(self) -> None:
        """A request's first byte."""

    def asked(self, exchange: Exchange) -> None:
        """A request's head is whole."""

    def came(self, exchange: Exchange, size: int) -> None:
        """A part of its body, in bytes."""


class RequestReader:
    """Of one connection."""

    def __init__(self, line: Asked, common: Mapping[str, Any]) -> None:
        self.in_head = False
        self.requests = 0  # begun
        self.beyond = 0  # bytes of the latest, beyond the piece in which it began
        self.coming: Exchange | None = None  # whose body comes
        self.is_last = False  # nothing that follows is read as a request
        self._line = line
        self._common = common  # of every scope
        self._parser = httptools.HttpRequestParser(self)
        self._url = b""
        self._headers: Headers = []
        self._expects_continue = False

    def feed(self, data: bytes) -> None:
        """Raises httptools.HttpParserError for what is no HTTP."""
        before = self.requests
        # Not where a head began in an earlier piece: this one may be a body.
        if b"pgrade:" in data and self.coming is None and not self.in_head:
            data = _without_upgrade(data)
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserUpgrade:
            # CONNECT: answered as any other method is.
            self.is_last = True
        if before == self.requests:
            self.beyond += len(data)

    def close(self) -> None:
        """Nothing more will come. Without this, parser and reader would refer to each other for good."""
        del self._parser
        self.coming = None

    def on_message_begin(self) -> None:
        self.in_head = True
        self.requests += 1
        self.beyond = 0
        self._url = b""
        self._headers = []
        self._expects_continue = False
        self._line.begun()

    def on_url(self, url: bytes) -> None:
        self._url += url

    def on_header(self, name: bytes, value: bytes) -> None:
        name = name.lower()
        if name == b"expect" and value.lower() == b"100-continue":
            self._expects_continue = True
        self._headers.append((name, value))

    def on_headers_complete(self) -> None:
        self.in_head = False
        version = self._parser.get_http_version()
        url = httptools.parse_url(self._url)
        path = url.path.decode("ascii")
        scope: dict[str, Any] = {
            **self._common,
            "http_version": version,
            "method": self._parser.get_method().decode("ascii"),
            "path": unquote(path) if "%" in path else path,
            "raw_path": url.path,
            "query_string": url.query or b"",
            "headers": self._headers,
        }
        exchange = Exchange(
            self._line,
            scope,
            keep_alive=version != "1.0" and self._parser.should_keep_alive(),
            expects_continue=self._expects_continue,
        )
        scope["extensions"] = {"perennial.whole_body": exchange.whole_body}
        self.coming = exchange
        self._line.asked(exchange)

    def on_body(self, part: bytes) -> None:
        exchange = self.coming
        if exchange is not None and not (exchange.answered or exchange.disconnected):
            exchange.feed(part)
            self._line.came(exchange, len(part))

    def on_message_complete(self) -> None:
        if self.coming is not None:
            self.coming.end()
            self.coming = None


def _without_upgrade(data: bytes) -> bytes:
    """The head of a request without its wish for another protocol, after which the parser would drop the body.

    HTTP/2 clients ask for it beside every first request (RFC 7540, section 3.2), and may be ignored.
    """
    head, blank, body = data.partition(b"\r\n\r\n")
    return _UPGRADE.sub(b"", head) + blank + body
