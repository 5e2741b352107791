"""A worker that starts where the wanted release cannot be loaded: what was stable before answers."""

from __future__ import annotations

import json
import shutil
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest

from contracts.home import Home
from contracts.release import MODEL_FILE, Manifest
from contracts.rollout import promote, rollback, try_canary
from service.engine.loading import load_release
from service.engine.model import LoadedRelease
from service.errors import TaskNotServedError
from service.metrics import ServiceMetrics
from service.rollout.releases import Releases

BY = {"by": "test", "reason": "test", "now": 5.0}


@contextmanager
def started(home: Home) -> Iterator[tuple[Releases, ServiceMetrics]]:
    """A worker's releases once it has looked at all of them, as it is when it begins to accept."""
    metrics = ServiceMetrics()
    releases = Releases(home, threads=1, poll_seconds=0.02, metrics=metrics)
    releases.start()
    try:
        until(lambda: releases.looked)
        yield releases, metrics
    finally:
        releases.stop(5)


def until(what: Callable[[], object]) -> None:
    deadline = time.monotonic() + 20
    while not what():
        assert time.monotonic() < deadline
        time.sleep(0.01)


@pytest.fixture
def three(home: Home, make_release: Callable[..., Manifest]) -> Home:
    """0001, 0002 and 0003, each promoted after the other."""
    for _ in range(3):
        promote(home, "support", make_release(home).version, **BY)
    return home


def damage(home: Home, version: str) -> None:
    (home.release("support", version) / MODEL_FILE).write_bytes(b"damaged")


def test_the_release_before_a_missing_one_answers_and_all_is_told(
    three: Home, caplog: pytest.LogCaptureFixture
) -> None:
    shutil.move(three.release("support", "0003"), three.root / "away")
    with started(three) as (releases, metrics):
        routed = releases.route("support", "key", None)
        assert (routed.release.version, routed.role) == ("0002", "stable")
        releases.check_ready()
        state = releases.state("support")
        assert state.state == "degraded"
        assert "0003" in (state.problem or "")
        assert "0003" in caplog.text
        assert "Release 0002, which was stable before, answers" in caplog.text
        sample = metrics.registry.get_sample_value
        found = {"task": "support", "release": "0002", "role": "stable"}
        assert sample("perennial_release_info", found) == 1
        assert sample("perennial_release_load_failures_total", {"task": "support"}) >= 1
        # It comes back: taken without anything being written anew.
        shutil.move(three.root / "away", three.release("support", "0003"))
        until(lambda: releases.serving("support").version == "0003")
        until(lambda: releases.state("support").state == "serving")
        assert sample("perennial_release_info", found) == 0


def test_what_is_damaged_too_is_passed_over(three: Home) -> None:
    damage(three, "0003")
    damage(three, "0002")
    with started(three) as (releases, _):
        assert releases.serving("support").version == "0001"
        assert "0003" in (releases.state("support").problem or "")


def test_a_standby_that_was_changed_since_its_promotion_is_not_trusted(three: Home) -> None:
    damage(three, "0003")
    manifest = three.release("support", "0002") / "manifest.json"
    manifest.write_text(manifest.read_text().replace('"temperature": 1.0', '"temperature": 9.0'))
    with started(three) as (releases, _):
        assert releases.serving("support").version == "0001"


def test_a_release_that_was_rolled_back_is_the_last_resort(three: Home) -> None:
    rollback(three, "support", **BY)
    damage(three, "0002")
    with started(three) as (releases, _):
        assert releases.serving("support").version == "0001"
    damage(three, "0001")
    with started(three) as (releases, _):
        assert releases.serving("support").version == "0003"


def test_a_canary_is_tried_beside_the_standby_and_never_in_its_place(
    three: Home, make_release: Callable[..., Manifest]
) -> None:
    try_canary(three, "support", make_release(three).version, 0.5, **BY)
    damage(three, "0003")
    with started(three) as (releases, _):
        until(lambda: releases.state("support").canary)
        assert [(one.release.version, one.role) for one in releases.state("support").places] == [
            ("0002", "stable"),
            ("0004", "canary"),
        ]
    for version in ("0001", "0002"):
        damage(three, version)
    with started(three) as (releases, _), pytest.raises(TaskNotServedError, match="0003"):
        releases.route("support", "key", None)


def test_a_standby_that_is_the_canary_too_is_loaded_once(three: Home) -> None:
    content = json.loads(three.rollout("support").read_text())
    three.rollout("support").write_text(json.dumps({**content, "canary": "0002", "canary_share": 0.5}))
    damage(three, "0003")
    with started(three) as (releases, _):
        until(lambda: releases.state("support").canary)
        stable, canary = releases.state("support").places
        assert stable.release is canary.release


def edited(home: Home, **changes: object) -> None:
    """As somebody writes it by hand, who gets it wrong."""
    content = json.loads(home.rollout("support").read_text())
    home.rollout("support").write_text(json.dumps({**content, **changes}))


def test_where_the_rollout_is_damaged_the_last_choice_answers(three: Home, caplog: pytest.LogCaptureFixture) -> None:
    rollback(three, "support", **BY)
    whole = three.rollout("support").read_text()
    edited(three, canary="0003", canary_percent=5)
    with started(three) as (releases, _):
        assert releases.serving("support").version == "0002"
        state = releases.state("support")
        assert state.state == "degraded"
        assert "canary_percent" in (state.problem or "")
        assert "releases promote support" in (state.problem or "")
        assert "Release 0002 goes on answering." in caplog.text
        three.rollout("support").write_text(whole)
        until(lambda: releases.state("support").state == "serving")
    edited(three, canary="0003", canary_percent=5)
    damage(three, "0002")
    with started(three) as (releases, _):
        assert releases.serving("support").version == "0001"
        assert "0002" in (releases.state("support").problem or "")


@pytest.mark.parametrize("remains", ["half", "another task's", "no history", "a history with a hole"])
def test_a_rollout_of_which_nothing_is_sure_serves_nothing_and_says_what_to_do(three: Home, remains: str) -> None:
    content = three.rollout("support").read_text()
    history = json.loads(content)["history"]
    if remains == "half":
        three.rollout("support").write_text(content[: len(content) // 2])
    elif remains == "another task's":
        edited(three, task="orders", extra=1)
    elif remains == "no history":
        edited(three, history=[], extra=1)
    else:
        edited(three, history=[*history[:-1], {**history[-1], "version": "three"}])
    with started(three) as (releases, _), pytest.raises(TaskNotServedError, match="releases promote support VERSION"):
        releases.serving("support")


def test_a_task_that_fails_in_an_unforeseen_way_keeps_no_other_from_being_served(
    three: Home,
    make_release: Callable[..., Manifest],
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    promote(three, "orders", make_release(three, "orders").version, **BY)

    def load(home: Home, task: str, version: str, **options: object) -> LoadedRelease:
        if task == "orders":
            raise ZeroDivisionError
        return load_release(home, task, version, **options)

    monkeypatch.setattr("service.rollout.releases.load_release", load)
    with started(three) as (releases, _):
        assert releases.serving("support").version == "0003"
        releases.check_ready()
        time.sleep(0.2)
        assert caplog.text.count("Following task orders fails") == 1
