"""Placeholder."""

from __future__ import annotations

from contracts.home import Home
from contracts.verdict import Verdict
from monitoring.window import Sample


def write_report(
    home: Home, verdict: Verdict, reference: Sample, window: Sample, labels: tuple[str, ...]
) -> str | None:
    """No report yet."""
    return None
