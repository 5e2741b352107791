"""The monitor, top to bottom: look at every task, say what was found, tell whoever listens, wait, look again."""

from __future__ import annotations

import logging
import signal
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field

from contracts.errors import PerennialError
from contracts.home import Home
from contracts.verdict import Verdict
from monitoring.alerting import AlertPostError
from monitoring.evaluation import Look, Watch, evaluate_pending
from monitoring.gauges import Gauges, MetricsServer
from monitoring.notices import Notices, follow_alert
from monitoring.reports import write_index, write_report
from monitoring.settings import MonitorSettings
from monitoring.stopping import Stop

logger = logging.getLogger(__name__)


@dataclass
class TaskWatch:
    """One task under watch: all of it may be lost and made anew."""

    watch: Watch = field(default_factory=Watch)
    notices: Notices = field(default_factory=Notices)
    trouble: str | None = None  # the last error that was logged
    unheard: str | None = None  # the last error of posting that was logged


def run(
    home: Home,
    settings: MonitorSettings,
    *,
    clock: Callable[[], float] = time.time,
    stop: Stop | threading.Event | None = None,
) -> int:
    """Watch until SIGINT or SIGTERM, or one pass over all tasks with `settings.once`; 1 if that pass met an error."""
    stop = stop or Stop()
    if threading.current_thread() is threading.main_thread():
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, lambda *_: stop.set())
    gauges = Gauges()
    server = None
    if settings.port is not None and not settings.once:
        server = MetricsServer.start(gauges.registry, settings.host, settings.port)
        logger.info("metrics on http://%s:%d/metrics", settings.host, server.port)
    if settings.alert_url is not None:
        logger.info("alerts are posted to %s", settings.alert_url)
    elif not settings.once:
        logger.info("alerts are posted to nobody: name the controller with --alert-url for retraining to follow drift")
    tasks: dict[str, TaskWatch] = {}
    failed = False
    try:
        while not stop.is_set():
            present = home.tasks()
            # One more look at a task that was removed ends its alert and takes its series away.
            for task in [*present, *sorted(tasks.keys() - set(present))]:
                known = tasks.setdefault(task, TaskWatch())
                known.watch.behind = False
                failed |= not look_at(home, task, known, settings, gauges, clock, stop)
                if task not in present:
                    gauges.remove(task)
                    del tasks[task]
            gauges.finished(clock())
            if any(known.watch.behind for known in tasks.values()):
                continue
            if settings.once:
                break
            stop.wait(settings.interval_seconds)
    finally:
        if server is not None:
            server.stop()
    if settings.once and not tasks:
        logger.info("no task in %s yet: train one with `perennial train`", home.root)
    return 1 if settings.once and failed else 0


def look_at(
    home: Home,
    task: str,
    known: TaskWatch,
    settings: MonitorSettings,
    gauges: Gauges,
    clock: Callable[[], float],
    stop: Stop | threading.Event,
) -> bool:
    """One look at one task. An error is logged, once for as long as it lasts, and False; other tasks go on."""
    now = clock()
    try:
        look = evaluate_pending(
            home,
            task,
            known.watch,
            now,
            idle_seconds=0.0 if settings.once else settings.idle_seconds,
            report=lambda *window: write_report(home, *window),
            stopped=stop.is_set,
        )
    except (PerennialError, OSError) as error:
        if str(error) != known.trouble:
            logger.warning("%s not judged: %s", task, error)
        known.trouble = str(error)
        return False
    if known.trouble is not None:
        logger.info("%s judged again", task)
        known.trouble = None
    if look.judged:
        write_index(home, task)
    say(task, look, gauges, known.watch.malformed_lines)
    # Whoever asks once wants an answer, even if it is yesterday's.
    if settings.once and not look.judged:
        standing = verdict_line(look.latest) if look.latest else f"{task}: no release serves, so nothing is judged"
        logger.info("no new window; %s", standing)
    _tell(home, task, known, settings, look.latest, now)
    return True


def say(task: str, look: Look, gauges: Gauges, malformed: int) -> None:
    """Log each window judged, and show the latest verdict."""
    for verdict in look.judged:
        logger.info("%s", verdict_line(verdict))
    gauges.looked(task, malformed)
    if look.latest is None:
        gauges.forget(task)
    else:
        gauges.show(look.latest)


def _tell(
    home: Home, task: str, known: TaskWatch, settings: MonitorSettings, latest: Verdict | None, now: float
) -> None:
    if settings.alert_url is None:
        return
    try:
        for line in follow_alert(home, task, known.notices, latest, settings.alert_url, settings.repeat_seconds, now):
            logger.info("%s", line)
    except AlertPostError as error:
        if known.unheard is None:
            logger.warning("%s: %s", task, error)
        known.unheard = str(error)
    else:
        if known.unheard is not None and known.notices.heard:
            logger.info("%s: alerts are taken again by %s", task, settings.alert_url)
            known.unheard = None


def verdict_line(verdict: Verdict) -> str:
    """A verdict as one line of the log."""
    drifted = [
        f"{found.name} p={found.adjusted_p_value:.2g} effect={found.effect:.2f}"
        for found in verdict.detectors
        if found.verdict == "drift"
    ]
    line = f"{verdict.task} {verdict.release} window {verdict.window_id} ({verdict.rows} rows): {verdict.verdict}"
    if drifted:
        line += f" ({', '.join(drifted)})"
    if verdict.run:
        line += f" run {verdict.run}{', alerting' if verdict.alerting else ''}"
    if verdict.accuracy is not None:
        measured = verdict.accuracy.measured
        parts = [f"measured {measured:.2f} (n={verdict.accuracy.labelled})"] if measured is not None else []
        if verdict.accuracy.estimated is not None:
            parts.append(f"estimated {verdict.accuracy.estimated:.2f}")
        line += f" accuracy {', '.join([*parts, f'reference {verdict.accuracy.reference:.2f}'])}"
    return line
