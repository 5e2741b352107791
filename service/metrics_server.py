"""A small HTTP server for /metrics alone, on a port of its own: in a thread, beside whatever serves the requests."""

from __future__ import annotations

import asyncio
import logging
import socket
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from http import HTTPStatus

from contracts.errors import SettingsError
from service.metrics import CONTENT_TYPE

logger = logging.getLogger(__name__)

# Scrapes are few. Beyond this, who has said nothing for the longest time makes room for who comes.
_MOST_AT_ONCE = 128
_SECONDS = 5.0
_HEAD_BYTES = 16 * 2**10
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
        listening = _listen(host, port)
    except OSError as error:
        expected = f"a free port of this machine at {host} ({error.strerror or error})"
        raise SettingsError("PERENNIAL_METRICS_PORT", port, expected) from error
    server = MetricsServer(listening, render)
    logger.info("Metrics are at port %d of %s: /metrics", server.port, host)
    return server


def _listen(host: str, port: int) -> socket.socket:
    flags = socket.AI_PASSIVE
    family, kind, _, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=flags)[0]
    listening = socket.socket(family, kind)
    try:
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listening.bind(address)
        listening.listen(_MOST_AT_ONCE)
    except OSError:
        listening.close()
        raise
    return listening


class MetricsServer:
    """Made by `start_metrics_server`.

    One thread answers, and one more writes the metrics down, once for all who ask meanwhile: however many connect, it
    takes no more of the machine than that. A connection ends with its one answer and, whatever it does, after a time.
    """

    def __init__(self, listening: socket.socket, render: Callable[[], bytes]) -> None:
        self.port: int = listening.getsockname()[1]
        self._listening = listening
        self._render = render
        self._writer = ThreadPoolExecutor(1, thread_name_prefix="metrics-text")
        self._rendering: asyncio.Future[bytes] | None = None
        # Connections, the oldest first; and those of them that have not sent a whole request yet.
        self._open: dict[asyncio.Task[None], None] = {}
        self._silent: dict[asyncio.Task[None], None] = {}
        self._loop = asyncio.new_event_loop()
        self._closing = asyncio.Event()
        self._thread = threading.Thread(target=self._run, name="metrics", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Stop listening."""
        self._loop.call_soon_threadsafe(self._closing.set)
        self._thread.join()

    def _run(self) -> None:
        with asyncio.Runner(loop_factory=lambda: self._loop) as runner:
            runner.run(self._serve())
        self._writer.shutdown(wait=False)

    async def _serve(self) -> None:
        server = await asyncio.start_server(self._connected, sock=self._listening, limit=_HEAD_BYTES)
        await self._closing.wait()
        server.close()
        for task in self._open:
            task.cancel()

    def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if len(self._open) >= _MOST_AT_ONCE:
            oldest = next(iter(self._silent), None)
            if oldest is None:
                writer.transport.abort()
                return
            self._forget(oldest)
            oldest.cancel()
        task = self._loop.create_task(self._talk(reader, writer))
        self._open[task] = self._silent[task] = None
        task.add_done_callback(self._forget)

    def _forget(self, task: asyncio.Task[None]) -> None:
        self._open.pop(task, None)
        self._silent.pop(task, None)

    async def _talk(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        # So that `drain` waits until the last byte is on its way, and the time bounds that, too.
        writer.transport.set_write_buffer_limits(0)
        try:
            async with asyncio.timeout(_SECONDS):
                head = await reader.readuntil(b"\r\n\r\n")
                task = asyncio.current_task()
                if task is not None:
                    self._silent.pop(task, None)
                writer.write(await self._answer(head))
                await writer.drain()
            writer.close()
        except (TimeoutError, OSError, EOFError, asyncio.LimitOverrunError):
            logger.debug("A connection to the metrics ended early.", exc_info=True)
        finally:
            if not writer.is_closing():
                writer.transport.abort()

    async def _answer(self, head: bytes) -> bytes:
        try:
            method, target, version = head.partition(b"\r\n")[0].decode("ascii").split(" ")
        except ValueError:
            return _response(400, _TEXT, b"Expected a request of HTTP/1.1.\n")
        if not version.startswith("HTTP/1."):
            return _response(400, _TEXT, b"Expected a request of HTTP/1.1.\n")
        whole = method != "HEAD"
        if target.partition("?")[0] != "/metrics":
            return _response(404, _TEXT, b"Only /metrics is here.\n", whole=whole)
        if method not in ("GET", "HEAD"):
            return _response(405, _TEXT, b"Only GET is answered here.\n")
        try:
            return _response(200, CONTENT_TYPE, await self._metrics(), whole=whole)
        except Exception:
            logger.exception("The metrics could not be written down.")
            told = b"The metrics could not be written down; the service's log says why.\n"
            return _response(500, _TEXT, told, whole=whole)

    async def _metrics(self) -> bytes:
        if self._rendering is None or self._rendering.done():
            self._rendering = self._loop.run_in_executor(self._writer, self._render)
        # Others wait for it, too: whoever leaves must not take it along.
        return await asyncio.shield(self._rendering)


def _response(status: int, content_type: str, body: bytes, *, whole: bool = True) -> bytes:
    lines = [
        f"HTTP/1.1 {status} {HTTPStatus(status).phrase}",
        f"Content-Type: {content_type}",
        f"Content-Length: {len(body)}",
        "Connection: close",
        *(["Allow: GET, HEAD"] if status == HTTPStatus.METHOD_NOT_ALLOWED else []),
    ]
    return "\r\n".join([*lines, "\r\n"]).encode() + (body if whole else b"")
