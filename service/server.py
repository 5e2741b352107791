"""`perennial serve`: uvicorn with the lean app in front and BentoML's behind, from start to clean stop."""

from __future__ import annotations

import logging
import os
import signal
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

import uvicorn

from contracts.errors import SettingsError
from service.api import Api
from service.metrics import ServiceMetrics
from service.serving import Serving
from service.settings import VARIABLES, ServiceSettings

logger = logging.getLogger(__name__)

_BACKLOG = 2048


def serve(settings: ServiceSettings) -> int:
    """Serve until SIGINT or SIGTERM; then stop accepting, answer what was accepted, flush the logs, return 0.

    Raises SettingsError when the address cannot be listened on, and IdKeyError when the home cannot be used.
    """
    # BentoML reads this when it is imported.
    os.environ["BENTOML_DO_NOT_TRACK"] = "True"
    from service.app import build_service

    listening = _listen(settings)
    serving = Serving(settings, ServiceMetrics())
    config = uvicorn.Config(
        Api(build_service(lambda: serving).to_asgi(), lambda: serving),
        loop="uvloop",
        http="httptools",
        ws="none",
        lifespan="on",
        log_config=None,
        access_log=False,
        server_header=False,
        timeout_graceful_shutdown=max(1, round(settings.drain_seconds)),
    )
    server = uvicorn.Server(config)
    with _stopped_by_signals(server):
        host, port = listening.getsockname()[:2]
        logger.info("Serving %s at http://%s:%d", settings.home.root, host, port)
        server.run(sockets=[listening])
    logger.info("Stopped.")
    return 0 if server.started else 1


def _listen(settings: ServiceSettings) -> socket.socket:
    """Bound before anything is loaded, so that a port that is taken is told at once."""
    try:
        found = socket.getaddrinfo(settings.host, settings.port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
        family, kind, protocol, _, address = found[0]
        listening = socket.socket(family, kind, protocol)
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listening.bind(address)
        listening.listen(_BACKLOG)
    except OSError as error:
        raise SettingsError(
            f"{VARIABLES['host']} and {VARIABLES['port']}",
            f"{settings.host}:{settings.port}",
            f"a free address of this machine ({error.strerror or error})",
        ) from error
    return listening


@contextmanager
def _stopped_by_signals(server: uvicorn.Server) -> Iterator[None]:
    """Stops the server on SIGINT and SIGTERM, also before it has started.

    uvicorn raises the signal again once it has stopped; this is what keeps that from ending the process.
    """

    def stop(_number: int, _frame: FrameType | None) -> None:
        server.should_exit = True

    before = {number: signal.signal(number, stop) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
