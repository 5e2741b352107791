"""`perennial controller`: decides on alerts, trains, promotes."""

from __future__ import annotations

import argparse
import logging
import os

from cli.console import add_common
from cli.variables import unknown_variables
from contracts.console_log import log_plainly
from contracts.home import Home

_VARIABLES = {
    "host": "PERENNIAL_CONTROLLER_HOST",
    "port": "PERENNIAL_CONTROLLER_PORT",
    "runner": "PERENNIAL_CONTROLLER_RUNNER",
}

logger = logging.getLogger(__name__)


def configure(parser: argparse.ArgumentParser) -> None:
    """Options of the verb; what is not given comes from PERENNIAL_CONTROLLER_* variables."""
    add_common(parser)
    parser.add_argument("--host", help="address to listen on (default: 127.0.0.1)")
    parser.add_argument("--port", help="default: 3002")
    parser.add_argument("--runner", help="`process` (default) or `kubernetes`")


def run(options: argparse.Namespace) -> int:
    """Blocks until SIGINT or SIGTERM."""
    log_plainly()
    for message in unknown_variables(os.environ, "controller"):
        logger.warning("%s", message)
    from controller.app import serve
    from controller.settings import ControllerSettings

    given = {variable: getattr(options, name) for name, variable in _VARIABLES.items()}
    environment = {**os.environ, **{variable: value for variable, value in given.items() if value is not None}}
    home = Home.from_environment(os.environ, options.home)
    return serve(home, ControllerSettings.from_environment(environment))
