"""`perennial monitor`: the watch over the prediction log."""

from __future__ import annotations

import argparse
import logging
import os

from cli.console import add_common
from cli.variables import unknown_variables
from contracts.console_log import log_plainly
from contracts.home import Home

logger = logging.getLogger(__name__)


def configure(parser: argparse.ArgumentParser) -> None:
    """Options of the verb; what is not given comes from PERENNIAL_MONITOR_* variables."""
    add_common(parser)
    parser.add_argument("--once", action="store_true", help="one pass over the log, then exit")
    parser.add_argument("--interval", type=float, metavar="SECONDS", help="between two passes (default: 30)")
    parser.add_argument("--host", help="address of /metrics (default: 127.0.0.1)")
    parser.add_argument("--port", help="port of /metrics, or `off` (default: 3001)")
    parser.add_argument("--alert-url", help="where alerts are posted, such as http://127.0.0.1:3002/alerts")
    parser.add_argument("--repeat", type=float, metavar="SECONDS", help="between two posts of an alert (default: 60)")


def run(options: argparse.Namespace) -> int:
    """Blocks until SIGINT or SIGTERM, unless it is one pass."""
    log_plainly()
    for message in unknown_variables(os.environ, "monitor"):
        logger.warning("%s", message)
    from monitoring.monitor import run as watch
    from monitoring.settings import MonitorSettings

    overrides = {
        "once": options.once or None,
        "interval_seconds": options.interval,
        "host": options.host,
        "port": options.port,
        "alert_url": options.alert_url,
        "repeat_seconds": options.repeat,
    }
    home = Home.from_environment(os.environ, options.home)
    return watch(home, MonitorSettings.from_environment(os.environ, overrides))
