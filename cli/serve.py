"""`perennial serve`: the prediction service."""

from __future__ import annotations

import argparse
import logging
import os

from cli.console import add_common
from cli.variables import unknown_variables
from contracts.console_log import log_plainly

logger = logging.getLogger(__name__)


def configure(parser: argparse.ArgumentParser) -> None:
    """Options of the verb; what is not given comes from PERENNIAL_* variables."""
    add_common(parser)
    parser.add_argument(
        "--host", help="address to listen on; 0.0.0.0 for all (default: PERENNIAL_LISTEN_HOST, else 127.0.0.1)"
    )
    parser.add_argument("--port", type=int, help="default: PERENNIAL_LISTEN_PORT, else 3000; 0: any free one")
    parser.add_argument(
        "--workers",
        type=int,
        metavar="N",
        help="processes behind the one port; one that dies is replaced (default: PERENNIAL_WORKERS, else 1)",
    )
    parser.add_argument(
        "--threads",
        type=int,
        metavar="N",
        help="cores for the model in each worker (default: PERENNIAL_THREADS, else all cores shared among the workers)",
    )
    parser.epilog = (
        "Every other setting is an environment variable, among them PERENNIAL_API_KEYS or PERENNIAL_API_KEYS_FILE (who "
        "may call), PERENNIAL_RATE_LIMIT, PERENNIAL_QUEUE_TOKENS, PERENNIAL_DEADLINE_SECONDS, PERENNIAL_CACHE_ENTRIES, "
        "PERENNIAL_METRICS_PORT and PERENNIAL_TRACES: service/README.md has the table of all."
    )


def run(options: argparse.Namespace) -> int:
    """Blocks until SIGINT or SIGTERM."""
    log_plainly()
    for message in unknown_variables(os.environ, "service"):
        logger.warning("%s", message)
    from service.server import serve
    from service.settings import ServiceSettings

    overrides = {name: getattr(options, name) for name in ("home", "host", "port", "workers", "threads")}
    return serve(ServiceSettings.from_environment(os.environ, overrides))
