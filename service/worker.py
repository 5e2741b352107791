"""One of several worker processes: `python -m service.worker SOCKET CHANNEL KEYS NUMBER`, see `service.workers`."""

from __future__ import annotations

import os
import socket
import sys
import threading
from dataclasses import replace

from contracts.console_log import log_plainly
from service.heartbeat import beat, beat_seconds, wait_for_end
from service.metrics import MULTIPROCESS_VARIABLE, ServiceMetrics
from service.server import ended, make_server, run_server
from service.serving import Serving
from service.settings import ServiceSettings


def main(listening: socket.socket, channel: socket.socket, keys: str, number: int) -> int:
    """Serve on an inherited socket until told to stop, or until the parent is gone. Returns an exit code.

    `keys` are digests of the API keys that are in force in the parent, as `access.format_keys` writes them.
    """
    log_plainly(f"worker {os.getpid()}")
    settings = replace(ServiceSettings.from_environment(os.environ), api_keys=keys)
    serving = Serving(settings, ServiceMetrics(os.environ[MULTIPROCESS_VARIABLE], number))
    server = make_server(settings, serving)
    server.beside = lambda: beat(channel, beat_seconds(settings.heartbeat_seconds))

    def follow_parent() -> None:
        wait_for_end(channel)
        server.should_exit = True

    threading.Thread(target=follow_parent, name="lifeline", daemon=True).start()
    return ended(0 if run_server(server, listening) else 1)


def _content(descriptor: int) -> str:
    with open(descriptor, encoding="ascii") as file:
        return file.read()


if __name__ == "__main__":
    _socket, _channel, _keys, _number = map(int, sys.argv[1:])
    sys.exit(main(socket.socket(fileno=_socket), socket.socket(fileno=_channel), _content(_keys), _number))
