"""`perennial serve`: the prediction service."""

from __future__ import annotations

import argparse
import os

from cli.console import add_common
from cli.logs import log_plainly


def configure(parser: argparse.ArgumentParser) -> None:
    """Options of the verb; what is not given comes from PERENNIAL_* variables."""
    add_common(parser)
    parser.add_argument("--host", help="address to listen on (default: 127.0.0.1; 0.0.0.0 for all)")
    parser.add_argument("--port", type=int, help="default: 3000")
    parser.add_argument("--threads", type=int, help="threads of one model run (default: all cores)")


def run(options: argparse.Namespace) -> int:
    """Blocks until SIGINT or SIGTERM."""
    log_plainly()
    from service.server import serve
    from service.settings import ServiceSettings

    overrides = {"home": options.home, "host": options.host, "port": options.port, "threads": options.threads}
    return serve(ServiceSettings.from_environment(os.environ, overrides))
