"""The folder `reports/` of a task: a page a window, the newest kept, and their index."""

from __future__ import annotations

import hashlib
import logging
from pathlib import Path

from contracts.files import write_atomic
from contracts.home import Home
from contracts.verdict import Verdict
from monitoring.baseline import Baseline
from monitoring.evidently_report import ReportError, draw
from monitoring.report_page import index_page, share_script, with_banner
from monitoring.state import read_verdicts
from monitoring.window import Sample

logger = logging.getLogger(__name__)

KEPT = 50
_INDEX_BYTES = 256 * 1024


def reports_folder(home: Home, task: str) -> Path:
    """Where the pages lie."""
    return home.monitoring(task) / "reports"


def write_report(home: Home, verdict: Verdict, baseline: Baseline, window: Sample) -> str | None:
    """Draw a window; the page's path relative to the home, or None when it failed, which is logged."""
    manifest = baseline.manifest
    folder = reports_folder(home, verdict.task)
    path = folder / f"{verdict.window_id}.html"
    try:
        drawn = draw(baseline.sample, window, manifest.logged_labels, manifest.spec.monitor.alpha)
        script = share_script(drawn, "").script
        # Named by content: pages of another Evidently version keep theirs.
        asset = f"assets/{hashlib.sha256(script.encode()).hexdigest()[:16]}.js"
        if script and not (folder / asset).exists():
            write_atomic(folder / asset, script.encode())
        page = share_script(drawn, asset).html
        write_atomic(path, with_banner(page, verdict).encode())
    except (ReportError, OSError) as error:
        logger.warning("%s window %s has no report: %s", verdict.task, verdict.window_id, error)
        return None
    return str(path.relative_to(home.root))


def write_index(home: Home, task: str) -> None:
    """Remove pages beyond the newest, and list the windows. A failure is logged: the verdicts stand without it."""
    folder = reports_folder(home, task)
    try:
        pages = sorted(
            (path for path in folder.glob("*.html") if path.name != "index.html"),
            key=lambda path: (path.stat().st_mtime, path.name),
        )
        for old in pages[:-KEPT]:
            old.unlink(missing_ok=True)
        verdicts = read_verdicts(home, task, most_bytes=_INDEX_BYTES)[-KEPT:]
        kept = {path.stem for path in pages[-KEPT:]}
        write_atomic(folder / "index.html", index_page(task, verdicts, kept).encode())
    except OSError as error:
        logger.warning("%s: the index of reports could not be written: %s", task, error)
