"""From bytes of a connection to requests: httptools parses, each request becomes an `Exchange`."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Protocol
from urllib.parse import unquote

import httptools

from service.http.asgi import Headers
from service.http.exchange import Exchange, Line
from service.http.same_head import SameHead, same_head

_FRAMING = (b"content-length", b"transfer-encoding")
# Parsed at a time: a read of 256 KiB may hold ten thousand requests, each of which takes fifty times its bytes.
_PIECE = 4096
# RFC 3986, section 3.2.2: a name or an address, and a port.
_HOST = re.compile(rb"(?:[A-Za-z0-9._~!$&'()*+,;=%-]*|\[[0-9A-Za-z:.%_~-]+\])(?::[0-9]*)?")


class Asked(Line, Protocol):
    """Who is told of what was read."""

    @property
    def reads_on(self) -> bool:
        """Whether more is to be parsed now."""

    def begun(self) -> None:
        """A request's first byte."""

    def asked(self, exchange: Exchange) -> None:
        """A request's head is whole."""

    def came(self, exchange: Exchange, size: int) -> None:
        """A part of its body, in bytes."""


def connection_scope(transport: Any, state: dict[str, Any]) -> dict[str, Any]:
    """What the scopes of all requests of a connection have in common."""
    return {
        "type": "http",
        "asgi": {"version": "3.0", "spec_version": "2.3"},
        "root_path": "",
        "state": state.copy(),
        "server": _pair(transport.get_extra_info("sockname")),
        "client": _pair(transport.get_extra_info("peername")),
        "scheme": "https" if transport.get_extra_info("sslcontext") else "http",
    }


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
        self._left = b""  # came, and is to be parsed once the line reads on
        self._url = b""
        self._headers: Headers = []
        self._hosts = 0  # headers that say where the request goes; more than one, too, for one that says nothing
        self._host: bytes | None = None  # the latest that was found to be one
        self._expects_continue = False
        self._same: SameHead | None = None
        self._latest: dict[str, Any] | None = None  # scope of the latest, where its like may follow
        self._upgrading = False  # from the end of a head that wishes for another protocol until its body is read

    def feed(self, data: bytes = b"") -> None:
        """Parse what came, or what is left of it, for as long as the line reads on.

        Raises httptools.HttpParserError for what is no HTTP.
        """
        if self._left:
            data, self._left = self._left + data, b""
        if len(data) <= _PIECE:
            if self.coming is None and not (self.in_head or self.is_last):
                self._read_whole(data)
            else:
                self._parse(data)
            return
        at = 0
        while at < len(data) and self._line.reads_on:
            self._parse(data[at : at + _PIECE])
            at += _PIECE
        self._left = data[at:]

    def _read_whole(self, data: bytes) -> None:
        """What begins with a request, and mostly is one: where its head is the latest one's, it is not parsed."""
        same = self._same
        body = None if same is None else same.body(data)
        if same is not None and body is not None:
            self.requests += 1
            self.beyond = 0
            self._line.begun()
            self._begin(same.scope(len(body)), keep_alive=True)
            if body:
                self.on_body(body)
            self.on_message_complete()
            return
        before = self.requests
        self._parse(data)
        latest, self._latest = self._latest, None
        if latest is not None and self.requests == before + 1 and self.coming is None and not self.in_head:
            self._same = same_head(data, latest)

    def _parse(self, data: bytes) -> None:
        if self.is_last:
            return
        before = self.requests
        rest: bytes | memoryview = data
        while len(rest):
            try:
                self._parser.feed_data(rest)
                break
            except httptools.HttpParserUpgrade as upgrade:
                rest = memoryview(rest)[upgrade.args[0] :]
                if not self._upgrading:
                    # CONNECT: answered as any other method is.
                    self.is_last = True
                    break
                self._read_on()
        if before == self.requests:
            self.beyond += len(data)

    def close(self) -> None:
        """Nothing more will come. Without this, what was read would stay until the garbage collector's next turn."""
        del self._parser, self._line  # which both refer to this
        self.coming = self._same = self._latest = None
        self._left = b""

    def on_message_begin(self) -> None:
        self.in_head = True
        self.requests += 1
        self.beyond = 0
        self._url = b""
        self._headers = []
        self._hosts = 0
        self._expects_continue = False
        self._line.begun()

    def on_url(self, url: bytes) -> None:
        self._url += url

    def on_header(self, name: bytes, value: bytes) -> None:
        name = name.lower()
        if name == b"host":
            self._hosts += 1 if value == self._host or self._is_host(value) else 2
        elif name == b"expect" and value.lower() == b"100-continue":
            self._expects_continue = True
        self._headers.append((name, value))

    def on_headers_complete(self) -> None:
        self.in_head = False
        if self._upgrading:
            self._upgrading = False
            return
        version = self._parser.get_http_version()
        method = self._parser.get_method().decode("ascii")
        url = httptools.parse_url(self._url)
        raw_path = url.path or b"/"  # http://host has none
        path = raw_path.decode("ascii")
        scope: dict[str, Any] = {
            **self._common,
            "http_version": version,
            "method": method,
            "path": unquote(path) if "%" in path else path,
            "raw_path": raw_path,
            "query_string": url.query or b"",
            "headers": self._headers,
        }
        keep_alive = version != "1.0" and self._parser.should_keep_alive()
        expects_continue = self._expects_continue and version != "1.0"
        # RFC 9112, section 3.2. Before HTTP/1.1 there may be none.
        addressed = self._hosts == 1 or (version == "1.0" and not self._hosts)
        self._upgrading = method != "CONNECT" and self._parser.should_upgrade()
        if not self._upgrading:
            self._headers = []  # what comes behind the body is none of the head (RFC 9110, section 6.5.1)
        plain = keep_alive and addressed and not (expects_continue or self._upgrading or method == "CONNECT")
        self._latest = scope if plain else None
        self._same = None
        self._begin(scope, keep_alive=keep_alive, expects_continue=expects_continue, addressed=addressed)

    def _begin(
        self, scope: dict[str, Any], *, keep_alive: bool, expects_continue: bool = False, addressed: bool = True
    ) -> None:
        exchange = Exchange(self._line, scope, keep_alive=keep_alive, expects_continue=expects_continue)
        exchange.addressed = addressed
        scope["extensions"] = {"perennial.whole_body": exchange.whole_body, "perennial.answer": exchange.answer}
        self.coming = exchange
        self._line.asked(exchange)

    def on_body(self, part: bytes) -> None:
        exchange = self.coming
        if exchange is not None and not (exchange.answered or exchange.disconnected):
            exchange.feed(part)
            self._line.came(exchange, len(part))

    def on_message_complete(self) -> None:
        if self.coming is not None and not self._upgrading:
            self.coming.end()
            self.coming = None

    def _is_host(self, value: bytes) -> bool:
        found = _HOST.fullmatch(value) is not None
        self._host = value if found else self._host
        return found

    def _read_on(self) -> None:
        """Have the body read behind a head that wishes for another protocol, which the parser takes for the last.

        HTTP/2 clients wish so beside every first request (RFC 7540, section 3.2), and may be ignored: a new parser is
        told how long the body is, as if its head came again.
        """
        framing = b"".join(b"%b: %b\r\n" % header for header in self._headers if header[0] in _FRAMING)
        self._parser = httptools.HttpRequestParser(self)
        self._parser.feed_data(b"POST / HTTP/1.1\r\n%b\r\n" % framing)


def _pair(address: Any) -> tuple[str, int] | None:
    return (str(address[0]), int(address[1])) if isinstance(address, tuple | list) and len(address) > 1 else None
