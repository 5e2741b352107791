"""A small HTTP server for /metrics alone, on a port of its own: in a thread, beside whatever serves the requests."""

from __future__ import annotations

import logging
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from contracts.errors import SettingsError
from service.metrics import CONTENT_TYPE

logger = logging.getLogger(__name__)

# A scrape comes every few seconds from a few places.
_MOST_AT_ONCE = 8
_SECONDS = 5.0
_TEXT = "text/plain; charset=utf-8"


@contextmanager
def metrics_served(host: str, port: int, render: Callable[[], bytes]) -> Iterator[int]:
    """Answers `GET /metrics` with `render()` while the context lasts; gives the port, which for 0 is any free one.

    Raises SettingsError when the address cannot be listened on.
    """
    server = start_metrics_server(host, port, render)
    try:
        yield server.port
    finally:
        server.close()


def start_metrics_server(host: str, port: int, render: Callable[[], bytes]) -> MetricsServer:
    """The same without an end: its thread ends with the process, or with `close`."""
    try:
        flags = socket.AI_PASSIVE
        family, _, _, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=flags)[0]
        server = MetricsServer(family, address, render)
    except OSError as error:
        expected = f"a free port of this machine at {host} ({error.strerror or error})"
        raise SettingsError("PERENNIAL_METRICS_PORT", port, expected) from error
    server.thread.start()
    logger.info("Metrics are at port %d of %s: /metrics", server.port, host)
    return server


class MetricsServer(ThreadingHTTPServer):
    """Made by `start_metrics_server`."""

    daemon_threads = True
    request_queue_size = 64
    block_on_close = False

    def __init__(self, family: int, address: Any, render: Callable[[], bytes]) -> None:
        self.address_family = family
        self.render = render
        self.thread = threading.Thread(target=self.serve_forever, name="metrics", daemon=True)
        self._places = threading.BoundedSemaphore(_MOST_AT_ONCE)
        super().__init__(address, _Handler)

    @property
    def port(self) -> int:
        """Where it listens."""
        found: int = self.server_address[1]
        return found

    def close(self) -> None:
        """Stop listening."""
        self.shutdown()
        self.server_close()
        self.thread.join()

    def server_bind(self) -> None:
        # HTTPServer would look the host's name up, which may wait for a name server.
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self.socket.bind(self.server_address)
        self.server_address = self.socket.getsockname()

    def process_request(self, request: Any, client_address: Any) -> None:
        if not self._places.acquire(blocking=False):
            self.shutdown_request(request)
            return
        super().process_request(request, client_address)

    def process_request_thread(self, request: Any, client_address: Any) -> None:
        # The connection ends with its one answer, and whatever it does, after a time: a thread is not held for ever.
        end = threading.Timer(_SECONDS, _hang_up, [request])
        end.daemon = True
        end.start()
        try:
            super().process_request_thread(request, client_address)
        finally:
            end.cancel()
            self._places.release()

    def handle_error(self, request: Any, client_address: Any) -> None:
        logger.debug("A connection to the metrics ended early.", exc_info=True)


def _hang_up(connection: socket.socket) -> None:
    try:
        connection.shutdown(socket.SHUT_RDWR)
    except OSError:
        logger.debug("A connection to the metrics was gone already.", exc_info=True)


class _Handler(BaseHTTPRequestHandler):
    server: MetricsServer
    server_version = "perennial"
    sys_version = ""

    def do_GET(self) -> None:
        if self.path.partition("?")[0] != "/metrics":
            self._answer(404, _TEXT, b"Only /metrics is here.\n")
            return
        try:
            body = self.server.render()
        except Exception:
            logger.exception("The metrics could not be written down.")
            self._answer(500, _TEXT, b"The metrics could not be written down; the service's log says why.\n")
            return
        self._answer(200, CONTENT_TYPE, body)

    def do_HEAD(self) -> None:
        self.do_GET()

    def _answer(self, status: int, content_type: str, body: bytes) -> None:
        self.send_response(status)
        self.send_header("Content-Type", content_type)
        self.send_header("Content-Length", str(len(body)))
        self.send_header("Connection", "close")
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:
        """Scrapes are not worth a line each."""
