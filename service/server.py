"""`perennial serve`: uvicorn with the lean app in front and BentoML's behind, from start to clean stop."""

from __future__ import annotations

import asyncio
import gc
import logging
import math
import os
import resource
import signal
import socket
import sys
import threading
from collections.abc import Callable, Coroutine, Iterator
from contextlib import contextmanager, nullcontext, suppress
from types import FrameType

import uvicorn

from contracts.errors import SettingsError
from service.access import ApiKeys
from service.http.api import Api
from service.http.bounds import bounded_protocol
from service.logs.prediction_ids import load_key
from service.metrics import ServiceMetrics
from service.metrics_server import metrics_served
from service.serving import Serving
from service.settings import VARIABLES, ServiceSettings
from service.tracing import check_installed
from service.watchdog import Watchdog
from service.workers import run_workers

logger = logging.getLogger(__name__)

_BACKLOG = 2048
_MOST_FILES = 65_536
_OTHER_FILES = 264  # sessions, logs, and callers who are told that there are too many
_GC_OBJECTS = 50_000
# A lane that comes back from a run waits this long for the interpreter at the most, where Python's own is 5 ms: it has
# a tenth of a millisecond to do before the next run.
_SWITCH_SECONDS = 0.0005
# Threads that may be in onnxruntime, tokenizers or numpy, or at a disk that hangs.
_LEFT_BEHIND = ("releases", "lane-", "feedback", "prediction-log")


def serve(settings: ServiceSettings) -> int:
    """Serve until SIGINT or SIGTERM; then stop accepting, answer what was accepted, flush the logs, return 0.

    Raises SettingsError when an address cannot be listened on, ApiKeysError when there are none though they are
    wanted, and IdKeyError when the home cannot be used.
    """
    load_key(settings.home)
    _check_access(settings)
    listening = _listen(settings)
    host, port = listening.getsockname()[:2]
    logger.info("Serving %s at http://%s:%d", settings.home.root, host, port)
    if settings.workers > 1:
        run_workers(settings, listening)
        started = True
    else:
        metrics = ServiceMetrics()
        own_port = settings.metrics_port
        watchdog = Watchdog(settings.heartbeat_seconds)
        with metrics_served(settings.host, own_port, metrics.render) if own_port else nullcontext(), watchdog:
            server = make_server(settings, Serving(settings, metrics))
            server.beside = watchdog.beat
            started = run_server(server, listening)
    logger.info("Stopped.")
    return ended(0 if started else 1)


def _check_access(settings: ServiceSettings) -> None:
    """What a worker would refuse to start with is told before there are any."""
    names = ApiKeys(settings.api_keys, settings.api_keys_file).names
    if names:
        logger.info("Callers need a key; there are keys of %s.", ", ".join(names))
    else:
        logger.info("No API keys are set: whoever reaches the port is answered.")
    if settings.traces:
        check_installed(settings.traces)


class BeatingServer(uvicorn.Server):
    """uvicorn's server, beside which another task runs on the same event loop, such as one that shows that it turns."""

    beside: Callable[[], Coroutine[None, None, None]] | None = None

    async def serve(self, sockets: list[socket.socket] | None = None) -> None:
        """From the start to the end of the shutdown."""
        beside = asyncio.create_task(self.beside()) if self.beside is not None else None
        try:
            await super().serve(sockets)
        finally:
            if beside is not None:
                beside.cancel()


def make_server(settings: ServiceSettings, serving: Serving) -> BeatingServer:
    """uvicorn over the lean app in front of BentoML's, whose start-up and shutdown start and stop the serving."""
    # BentoML reads this when it is imported, which is why it is imported here: no usage data is sent.
    os.environ["BENTOML_DO_NOT_TRACK"] = "True"
    from service.app import build_service

    service = build_service(lambda: serving, lambda: server.should_exit)
    server = BeatingServer(
        uvicorn.Config(
            Api(service.to_asgi(), lambda: serving),
            loop="uvloop",
            http=bounded_protocol(
                head_seconds=settings.head_seconds,
                keep_alive_seconds=settings.keep_alive_seconds,
                max_body_bytes=settings.max_body_bytes,
                max_connections=_open_files() - _OTHER_FILES,
                refused=lambda status: serving.metrics.requests.labels("", "", str(status)).inc(),
            ),
            timeout_keep_alive=math.ceil(settings.keep_alive_seconds),
            ws="none",
            lifespan="on",
            log_config=None,
            access_log=False,
            server_header=False,
            # Nothing here asks who the caller is by address or scheme.
            proxy_headers=False,
            timeout_graceful_shutdown=max(1, round(settings.drain_seconds)),
        )
    )
    return server


def _open_files() -> int:
    """How many files this process may open, as many as the system lets it: sessions and logs need their own."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = _MOST_FILES if hard == resource.RLIM_INFINITY else min(hard, _MOST_FILES)
    if soft == resource.RLIM_INFINITY or soft >= wanted:
        return _MOST_FILES if soft == resource.RLIM_INFINITY else soft
    resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
    return wanted


def run_server(server: uvicorn.Server, listening: socket.socket) -> bool:
    """Run until a signal stops it; whether it had started."""
    # Requests leave no cycles behind: looking for them after every 700 new objects costs some 3 % of the time.
    gc.set_threshold(_GC_OBJECTS, 20, 50)
    sys.setswitchinterval(_SWITCH_SECONDS)
    with _stopped_by_signals(server):
        server.run(sockets=[listening])
    return server.started


def ended(code: int) -> int:
    """The exit code of a server that has stopped; where a thread is left behind in its work, the process ends here.

    Python's own end takes its threads out of native code in the midst of it, at which C++ aborts the whole process.
    """
    left = [thread.name for thread in threading.enumerate() if thread.daemon and thread.name.startswith(_LEFT_BEHIND)]
    if left:
        logger.warning("What was under way is left behind: %s.", ", ".join(left))
        logging.shutdown()
        for stream in (sys.stdout, sys.stderr):
            with suppress(OSError, ValueError):
                stream.flush()
        os._exit(code)
    return code


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
