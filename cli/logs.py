"""How the three long-running programs log: plain lines with UTC times on standard output."""

from __future__ import annotations

import logging
import sys
import time


def log_plainly() -> None:
    """Set up logging; called once, by a program's verb."""
    logging.Formatter.converter = time.gmtime
    logging.basicConfig(
        level=logging.INFO,
        stream=sys.stdout,
        format="%(asctime)s %(levelname)-7s %(message)s",
        datefmt="%Y-%m-%dT%H:%M:%SZ",
    )
    # Talkative at this level, and never about our own affairs.
    for name in ("httpx", "httpcore", "bentoml", "uvicorn.error"):
        logging.getLogger(name).setLevel(logging.WARNING)
