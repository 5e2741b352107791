"""What follows from one closed window: its verdict, and the state after it. Nothing here touches a file."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta

from contracts.verdict import Verdict
from monitoring.accuracy import Answer, assess
from monitoring.baseline import Baseline
from monitoring.drift import detect
from monitoring.reading import LATEST_TIME, settled_offsets
from monitoring.state import MOST_ANSWERS, JudgedAnswer, MonitorState, known_offsets
from monitoring.verdict import detectors, follow, word
from monitoring.window import Row, columns, window_id


def judge(
    state: MonitorState,
    baseline: Baseline,
    window: Sequence[Row],
    truth: Mapping[str, str],
    now: float,
    malformed: int = 0,
) -> Verdict:
    """The verdict on one closed window, which follows those in `state`. `truth`: true labels by prediction id."""
    manifest = baseline.manifest
    release, spec = manifest.version, manifest.spec.monitor
    sample = columns(window)
    name = window_id(release, state.numbers.get(release, 0) + 1)
    found = detectors(detect(baseline.sample, sample, seed=f"{manifest.task}/{name}"), spec.alpha)
    previous = state.verdict if state.verdict is not None and state.verdict.release == release else None
    started = min(row.time for row in window)
    run = follow(previous, word(found), spec.required_run, now, started)
    answers = [Answer(row.id, manifest.logged_labels[row.label], row.score) for row in window]
    return Verdict(
        task=manifest.task,
        release=release,
        window_id=name,
        started=started,
        ended=max(row.time for row in window),
        evaluated=now,
        rows=len(window),
        verdict=word(found),
        run=run.run,
        run_started=run.started,
        alerting=run.alerting,
        alert_started=run.alert_started,
        detectors=found,
        accuracy=assess(answers, truth, baseline.accuracy, baseline.threshold),
        malformed=malformed,
    )


def commit(state: MonitorState, verdict: Verdict, window: Sequence[Row], labels: Sequence[str]) -> MonitorState:
    """The state with this window judged and its rows left behind."""
    offsets = dict(state.offsets)
    for row in window:
        offsets[row.segment] = max(row.end, offsets.get(row.segment, 0))
    answers = tuple(JudgedAnswer(id=row.id, time=row.time, label=labels[row.label], score=row.score) for row in window)
    if verdict.run > 1:
        answers = state.answers + answers
    return state.model_copy(
        update={
            "offsets": offsets,
            "numbers": state.numbers | {verdict.release: state.numbers.get(verdict.release, 0) + 1},
            "verdict": verdict,
            "answers": answers[-MOST_ANSWERS:],
        }
    )


def settle(state: MonitorState, read_to: Mapping[str, int], left: Sequence[Row], now: float) -> MonitorState:
    """The state with everything settled that no later window needs, and without offsets of bygone days."""
    offsets = settled_offsets(read_to, left)
    # A writer with a wrong clock must not make the present look bygone.
    newest = min(max((name[:10] for name in offsets), default=""), _day(now))
    if not newest:
        return state
    yesterday = (datetime.fromisoformat(newest) - timedelta(days=1)).strftime("%Y-%m-%d")
    from_day = max(state.from_day, min([yesterday, *(row.segment[:10] for row in left)]))
    return state.model_copy(update={"offsets": known_offsets(offsets, from_day), "from_day": from_day})


def turned_back(state: MonitorState, now: float) -> MonitorState:
    """The state to go on with after a clock that ran days ahead was set right.

    Its settled days lie in the future, and all that comes until then would be passed over. What was judged before is
    not known any more: reading begins anew with today, at records from now on, so that none is judged twice.
    """
    if state.from_day <= _day(now):
        return state
    return state.model_copy(update={"from_day": _day(now), "judged_until": now})


def feedback_day(state: MonitorState) -> str:
    """Feedback comes after its prediction: the day of the oldest prediction whose label may still matter."""
    oldest = min((answer.time for answer in state.answers), default=None)
    return min(state.from_day, _day(oldest)) if oldest is not None else state.from_day


def _day(time: float) -> str:
    return datetime.fromtimestamp(min(time, LATEST_TIME), UTC).strftime("%Y-%m-%d")
