"""`report.html`: the story of a release for people, in one file that needs no network."""

from __future__ import annotations

from html import escape

from training.story import Story


def report_html(story: Story) -> str:
    """A whole page."""
    rows = "".join(f"<tr><td>{escape(k)}<td>{v:.4f}" for k, v in story.manifest.metrics.items())
    return f"<!doctype html><meta charset=utf-8><title>{escape(story.manifest.task)}</title><table>{rows}</table>"
