"""One of several worker processes: `python -m service.worker SOCKET LIFELINE`, started by `service.workers`."""

from __future__ import annotations

import logging
import os
import socket
import sys
import threading

from service.metrics import MULTIPROCESS_VARIABLE, ServiceMetrics
from service.server import make_server, run_server
from service.serving import Serving
from service.settings import ServiceSettings


def main(socket_descriptor: int, lifeline: int) -> int:
    """Serve on an inherited socket until told to stop, or until the parent is gone. Returns an exit code."""
    logging.basicConfig(level=logging.INFO, format=f"%(asctime)s %(levelname)s worker {os.getpid()}: %(message)s")
    settings = ServiceSettings.from_environment(os.environ)
    serving = Serving(settings, ServiceMetrics(os.environ[MULTIPROCESS_VARIABLE]))
    server = make_server(settings, serving)

    def follow_parent() -> None:
        os.read(lifeline, 1)
        server.should_exit = True

    threading.Thread(target=follow_parent, name="lifeline", daemon=True).start()
    listening = socket.socket(fileno=socket_descriptor)
    return 0 if run_server(server, listening) else 1


if __name__ == "__main__":
    sys.exit(main(int(sys.argv[1]), int(sys.argv[2])))
