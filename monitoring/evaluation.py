"""One look at one task's log: judge every window that is ready, commit each, and bring `latest.json` up to date."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

from contracts.files import locked
from contracts.home import Home
from contracts.rollout import Rollout, read_rollout
from contracts.task import MonitorSpec
from contracts.verdict import Verdict, read_latest
from monitoring.accuracy import Answer, assess
from monitoring.baseline import Baseline, load_baseline
from monitoring.judgement import commit, feedback_day, judge, settle, turned_back
from monitoring.reading import Malformed, TrueLabels, Wanted, read_rows, segments_from
from monitoring.state import MonitorState, load_state, publish_verdict, save_state, write_latest
from monitoring.window import OpenWindow, Row, Sample, closes_early, columns, tumble, window_id

logger = logging.getLogger(__name__)

# Of the verdict, what it was compared with, and the window: the report's path relative to the home, or None.
WriteReport = Callable[[Verdict, Baseline, Sample], str | None]

# After so many windows of one task a look ends, so that a long catch-up neither starves the other tasks nor looks dead.
MOST_WINDOWS = 100


@dataclass
class Watch:
    """What the process remembers of a task between two looks. All of it may be lost at any time."""

    baseline: Baseline | None = None
    labels: TrueLabels = field(default_factory=TrueLabels)
    malformed: Malformed = field(default_factory=Malformed)
    looked_at: object = None  # sizes of the log's segments, and the rollout, at the last look
    behind: bool = False  # whether the last look left ready windows for the next
    open: OpenWindow = field(default_factory=lambda: OpenWindow.of(()))

    @property
    def malformed_lines(self) -> int:
        """Log and feedback lines passed over since the process started."""
        return self.malformed.lines + self.labels.malformed


@dataclass(frozen=True)
class Conditions:
    """Under which a look is taken."""

    now: float  # seconds since the epoch
    idle_seconds: float
    report: WriteReport | None
    stopped: Callable[[], bool]


@dataclass(frozen=True)
class Look:
    """What one look gave."""

    judged: tuple[Verdict, ...]  # windows judged now, in order
    latest: Verdict | None  # as in latest.json; None where no release serves


def evaluate_pending(
    home: Home,
    task: str,
    watch: Watch,
    now: float,
    *,
    idle_seconds: float,
    report: WriteReport | None = None,
    stopped: Callable[[], bool] = lambda: False,
) -> Look:
    """Judge what is ready. `now` is in seconds since the epoch; `stopped` ends the look after the present window.

    Raises PerennialError for an unusable rollout or release. Two monitors on one home wait for each other.
    """
    with locked(home.monitoring(task) / ".monitor.lock"):
        rollout = read_rollout(home, task)
        if rollout is None:
            return Look((), None)
        if watch.baseline is None or watch.baseline.manifest.version != rollout.stable:
            watch.baseline = None
            watch.baseline = load_baseline(home, task, rollout.stable, rollout.stable_sha256)
        found = load_state(home, task)
        state = turned_back(found, now)
        if state != found:
            logger.warning("%s: the clock was set back by days; records up to now are passed over", task)
            save_state(home, task, state)
        if watch.looked_at is None and state.verdict is not None:
            publish_verdict(home, task, state.verdict)
        watch.labels.read(home.feedback(task), task, feedback_day(state))
        judged = []
        sizes = [(path, path.stat().st_size) for path in segments_from(home.predictions(task), state.from_day)]
        spec = watch.baseline.manifest.spec.monitor
        seen = (rollout.generation, rollout.stable, sizes)
        if watch.looked_at != seen or closes_early(watch.open, spec.min_window, now, idle_seconds):
            conditions = Conditions(now, idle_seconds, report, stopped)
            judged = _judge_new(home, state, watch, watch.baseline, rollout, conditions)
            state = load_state(home, task)
            watch.looked_at = seen if not (stopped() or watch.behind) else None
        return Look(tuple(judged), _show_latest(home, task, state, watch, watch.baseline, now))


def _judge_new(
    home: Home,
    state: MonitorState,
    watch: Watch,
    baseline: Baseline,
    rollout: Rollout,
    conditions: Conditions,
) -> list[Verdict]:
    now, report = conditions.now, conditions.report
    task, spec = rollout.task, baseline.manifest.spec.monitor
    read_to = dict(state.offsets)
    wanted = Wanted(
        task=task,
        release=rollout.stable,
        labels=baseline.manifest.logged_labels,
        dimensions=baseline.sample.projections.shape[1],
        after=state.judged_until,
        others=baseline.manifest.outcomes is not None,
    )
    rows = read_rows(home.predictions(task), read_to, state.from_day, wanted, watch.malformed)
    left: list[Row] = []
    judged: list[Verdict] = []
    watch.behind = False
    for window, is_last in _with_last(_ready(tumble(rows, spec.window), spec, conditions, left)):
        # A catch-up after days of standstill judges many windows; a report of each would take seconds.
        verdict = judge(state, baseline, window, watch.labels.by_id, now, watch.malformed_lines)
        if is_last and report is not None:
            path = report(verdict, baseline, columns(window))
            verdict = verdict.model_copy(update={"report": path})
        if conditions.stopped() or _moved_on(home, rollout):
            return judged
        state = commit(state, verdict, window, baseline.manifest.logged_labels)
        save_state(home, task, state)
        publish_verdict(home, task, verdict)
        judged.append(verdict)
        if len(judged) == MOST_WINDOWS and not is_last:
            watch.behind = True
            return judged
    # Records of a release that was promoted during this look were passed over: read them again next time.
    if _moved_on(home, rollout):
        return judged
    watch.open = OpenWindow.of(left)
    settled = settle(state, read_to, left, now)
    if settled != state:
        save_state(home, task, settled)
    watch.malformed.forget_before(settled.from_day)
    return judged


def _show_latest(
    home: Home, task: str, state: MonitorState, watch: Watch, baseline: Baseline, now: float
) -> Verdict | None:
    """Bring `latest.json` up to date: with labels that came late, or with a first window that is still filling."""
    shown = read_latest(home, task)
    release = baseline.manifest.version
    judged = state.verdict
    if judged is not None and judged.release == release:
        latest = judged
        if state.answers:
            answers = [Answer(known.id, known.label, known.score) for known in state.answers]
            accuracy = assess(answers, watch.labels.by_id, baseline.accuracy, baseline.threshold)
            latest = judged.model_copy(update={"accuracy": accuracy})
    else:
        latest = Verdict(
            task=task,
            release=release,
            window_id=window_id(release, state.numbers.get(release, 0) + 1),
            started=watch.open.first,
            ended=watch.open.last,
            evaluated=now,
            rows=watch.open.rows,
            verdict="insufficient",
            run=0,
            alerting=False,
            malformed=watch.malformed_lines,
        )
        if shown is not None and shown == latest.model_copy(update={"evaluated": shown.evaluated}):
            return shown
    if shown != latest:
        write_latest(home, task, latest)
    return latest


def _ready(
    windows: Iterator[list[Row]], spec: MonitorSpec, conditions: Conditions, left: list[Row]
) -> Iterator[list[Row]]:
    """Windows that are full or close early; the rows of one that stays open go to `left`."""
    for window in windows:
        full = len(window) == spec.window
        if full or closes_early(OpenWindow.of(window), spec.min_window, conditions.now, conditions.idle_seconds):
            yield window
        else:
            left.extend(window)


def _with_last(windows: Iterator[list[Row]]) -> Iterator[tuple[list[Row], bool]]:
    held: list[Row] | None = None
    for window in windows:
        if held is not None:
            yield held, False
        held = window
    if held is not None:
        yield held, True


def _moved_on(home: Home, rollout: Rollout) -> bool:
    """Whether another release was promoted since `rollout` was read."""
    current = read_rollout(home, rollout.task)
    # Who writes the file by hand may forget to count its generation up.
    return current is None or (current.generation, current.stable) != (rollout.generation, rollout.stable)
