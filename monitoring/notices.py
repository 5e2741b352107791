"""Keeping the receiver of alerts informed: begun, repeated while it lasts, resolved once."""

from __future__ import annotations

from dataclasses import dataclass

from contracts.files import locked
from contracts.home import Home
from contracts.verdict import Verdict
from monitoring.alerting import firing, post, resolved
from monitoring.state import load_state, save_state


@dataclass
class Notices:
    """When a task's alert was last posted, successfully or not. Lost at a restart: the alert is then posted at once."""

    tried: float | None = None
    window: str | None = None  # the window and the alert that were last posted
    heard: bool = True  # whether the last post was taken


def same_alert(one: Verdict | None, other: Verdict | None) -> bool:
    """Whether two alerting verdicts belong to one alert."""
    return (
        one is not None
        and other is not None
        and (one.release, one.alert_started) == (other.release, other.alert_started)
    )


def follow_alert(
    home: Home, task: str, notices: Notices, latest: Verdict | None, url: str, repeat_seconds: float, now: float
) -> list[str]:
    """Post what is due, and say so in lines for the log. Raises AlertPostError; what was not taken is due again
    after `repeat_seconds`.

    That an alert was posted is kept in the state, so that its end is told even by a monitor started later.
    """
    with locked(home.monitoring(task) / ".monitor.lock"):
        state = load_state(home, task)
        current = latest if latest is not None and latest.alerting else None
        # A clock that was set back must not keep an alert waiting until it has caught up.
        due = notices.tried is None or not 0 <= now - notices.tried < repeat_seconds
        said = []
        if state.alert is not None and not same_alert(state.alert, current) and (due or notices.heard):
            notices.tried, notices.window, notices.heard = now, None, False
            post(url, resolved(state.alert, home.root, now))
            notices.heard = True
            said.append(f"{task} {state.alert.release} alert resolved")
            state = state.model_copy(update={"alert": None})
            save_state(home, task, state)
            due = True
        if current is None:
            return said
        fresh = not same_alert(state.alert, current)
        if not (due or (notices.heard and (fresh or notices.window != current.window_id))):
            return said
        # Before the post: one that was taken and whose answer was lost must be resolved one day, too.
        save_state(home, task, state.model_copy(update={"alert": current}))
        notices.tried, notices.window, notices.heard = now, current.window_id, False
        post(url, firing(current, home.root))
        notices.heard = True
        if fresh:
            said.append(f"{task} {current.release} alert firing: posted to {url}")
        return said
