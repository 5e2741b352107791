"""How every long-running program logs: plain lines with UTC times on standard output, of one form for all."""

from __future__ import annotations

import logging
import sys
import time

_DATE_FORMAT = "%Y-%m-%dT%H:%M:%SZ"


def log_plainly(who: str = "") -> None:
    """Set up logging; called once, by a program's main. `who` begins each message, where several write to one place."""
    logging.Formatter.converter = time.gmtime
    said_by = f"{who}: " if who else ""
    logging.basicConfig(
        level=logging.INFO,
        stream=sys.stdout,
        format=f"%(asctime)s %(levelname)-7s {said_by}%(message)s",
        datefmt=_DATE_FORMAT,
    )
    # Talkative at this level, and never about our own affairs.
    for name in ("httpx", "httpcore", "bentoml", "uvicorn.error"):
        logging.getLogger(name).setLevel(logging.WARNING)
