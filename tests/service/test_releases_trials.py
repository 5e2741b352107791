"""Canary and shadow of a task, followed from rollout.json by the thread that loads releases."""

from __future__ import annotations

import gc
import json
import logging
import time
import weakref
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import pytest
from prometheus_client.parser import text_string_to_metric_families

from contracts.home import Home
from contracts.release import MODEL_FILE, Manifest
from contracts.rollout import end_trial, promote, read_rollout, rollback, try_canary, try_shadow
from service.errors import TaskNotServedError, TaskUnknownError, VersionNotServedError
from service.http.problems import problem_of
from service.metrics import ServiceMetrics
from service.rollout.releases import Releases, TaskState

BY = {"by": "test", "reason": "test", "now": 5.0}
OTHER_LABELS = {"billing": ("invoice", "refund"), "delivery": ("parcel",), "praise": ("great",)}


@dataclass
class Followed:
    """Three releases, 0001 stable, and what follows their rollout."""

    home: Home
    releases: Releases
    metrics: ServiceMetrics

    def state(self) -> TaskState:
        return self.releases.state("support")

    def roles(self) -> dict[str, str]:
        """Version by role, of all that is loaded."""
        return {routed.role: routed.release.version for routed in self.state().places}

    def until(self, roles: dict[str, str]) -> None:
        """Until just these are loaded and rollout.json is wholly followed."""
        self.wait(lambda: self.roles() == roles and self.state().seen is not None)

    def wait(self, what: Callable[[], object]) -> None:
        deadline = time.monotonic() + 20
        while not what():
            assert time.monotonic() < deadline, self.releases.states()
            time.sleep(0.01)

    def info(self) -> dict[tuple[str, str], float]:
        """The release_info gauge by version and role."""
        families = text_string_to_metric_families(self.metrics.render().decode())
        samples = [sample for family in families for sample in family.samples if "release_info" in sample.name]
        return {(found.labels["release"], found.labels["role"]): found.value for found in samples}

    def failures(self) -> float:
        return self.metrics.registry.get_sample_value("perennial_release_load_failures_total", {"task": "support"}) or 0

    def answers(self, key: str) -> str:
        return self.releases.route("support", key, None).release.version


@pytest.fixture
def followed(home: Home, make_release: Callable[..., Manifest]) -> Iterator[Followed]:
    make_release(home)
    make_release(home, keywords=OTHER_LABELS)
    make_release(home)
    promote(home, "support", "0001", **BY)
    metrics = ServiceMetrics()
    releases = Releases(home, threads=1, poll_seconds=0.02, metrics=metrics)
    releases.start()
    found = Followed(home, releases, metrics)
    found.wait(lambda: releases.knows("support") and found.state().release)
    yield found
    releases.stop(5)


def test_a_canary_answers_its_share_and_a_shadow_nobody(followed: Followed) -> None:
    try_canary(followed.home, "support", "0002", 0.3, **BY)
    try_shadow(followed.home, "support", "0003", 0.5, **BY)
    followed.until({"stable": "0001", "canary": "0002", "shadow": "0003"})
    keys = [f"caller-{number}" for number in range(400)]
    answering = {key: followed.answers(key) for key in keys}
    assert answering == {key: followed.answers(key) for key in keys}
    assert set(answering.values()) == {"0001", "0002"}
    assert 60 < list(answering.values()).count("0002") < 180
    assert followed.releases.route("support", None, None).release.version == "0001"
    assert followed.releases.serving("support").version == "0001"
    shadow = followed.releases.shadow("support")
    assert shadow is not None
    assert (shadow.release.version, shadow.role, shadow.share) == ("0003", "shadow", 0.5)
    assert (followed.state().state, followed.state().problem) == ("serving", None)


def test_a_version_that_is_asked_for_answers_in_a_role_of_its_own_unless_it_is_the_stable_one(
    followed: Followed,
) -> None:
    try_canary(followed.home, "support", "0002", 0.01, **BY)
    try_shadow(followed.home, "support", "0003", **BY)
    followed.until({"stable": "0001", "canary": "0002", "shadow": "0003"})
    for version, role in (("0001", "stable"), ("0002", "requested"), ("0003", "requested")):
        routed = followed.releases.route("support", "any", version)
        assert (routed.release.version, routed.role) == (version, role)
    with pytest.raises(VersionNotServedError, match=r"0001 \(stable\), 0002 \(canary\), 0003 \(shadow\)") as caught:
        followed.releases.route("support", "any", "0009")
    problem = problem_of(caught.value, "/v1/models/support:predict")
    assert (problem.status, json.loads(problem.body)["type"]) == (404, "urn:perennial:problem:version-not-served")


def test_a_promoted_canary_is_not_loaded_again(followed: Followed) -> None:
    try_canary(followed.home, "support", "0002", 0.1, **BY)
    followed.until({"stable": "0001", "canary": "0002"})
    loaded = followed.releases.route("support", None, "0002").release
    assert followed.info() == {("0001", "stable"): 1, ("0002", "canary"): 1}
    promote(followed.home, "support", "0002", **BY)
    followed.until({"stable": "0002"})
    assert followed.releases.serving("support") is loaded
    assert followed.info() == {("0001", "stable"): 0, ("0002", "canary"): 0, ("0002", "stable"): 1}
    assert {followed.answers(f"caller-{number}") for number in range(50)} == {"0002"}
    rollback(followed.home, "support", **BY)
    followed.until({"stable": "0001"})
    assert followed.info() == {("0001", "stable"): 1, ("0002", "canary"): 0, ("0002", "stable"): 0}


def test_a_stable_release_that_becomes_the_canary_is_not_loaded_again(followed: Followed) -> None:
    loaded = followed.releases.serving("support")
    content = {"task": "support", "generation": 7, "stable": "0003", "canary": "0001", "canary_share": 0.5}
    followed.home.rollout("support").write_text(json.dumps(content))
    followed.until({"stable": "0003", "canary": "0001"})
    assert followed.releases.route("support", None, "0001").release is loaded


def test_another_share_moves_callers_and_loads_nothing(followed: Followed) -> None:
    try_canary(followed.home, "support", "0002", 0.1, **BY)
    followed.until({"stable": "0001", "canary": "0002"})
    loaded = followed.releases.route("support", None, "0002").release
    before = {key for number in range(200) if followed.answers(key := f"caller-{number}") == "0002"}
    try_canary(followed.home, "support", "0002", 0.5, **BY)
    followed.wait(lambda: followed.releases.route("support", None, "0002").share == 0.5)
    after = {key for number in range(200) if followed.answers(key := f"caller-{number}") == "0002"}
    assert before < after
    assert followed.releases.route("support", None, "0002").release is loaded


def test_a_trial_that_ended_is_let_go_of(followed: Followed) -> None:
    try_canary(followed.home, "support", "0002", 1.0, **BY)
    try_shadow(followed.home, "support", "0003", **BY)
    followed.until({"stable": "0001", "canary": "0002", "shadow": "0003"})
    left = [weakref.ref(followed.releases.route("support", None, version).release) for version in ("0002", "0003")]
    end_trial(followed.home, "support", **BY)
    followed.until({"stable": "0001"})

    def gone() -> bool:
        gc.collect()
        return not any(reference() for reference in left)

    followed.wait(gone)
    assert followed.answers("anybody") == "0001"
    assert followed.releases.shadow("support") is None
    assert followed.info() == {("0001", "stable"): 1, ("0002", "canary"): 0, ("0003", "shadow"): 0}


def test_a_trial_that_cannot_be_loaded_never_disturbs_the_stable_release(
    followed: Followed, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    model = followed.home.release("support", "0002") / MODEL_FILE
    whole = model.read_bytes()
    try_canary(followed.home, "support", "0002", 1.0, **BY)
    try_shadow(followed.home, "support", "0003", **BY)
    followed.until({"stable": "0001", "canary": "0002", "shadow": "0003"})
    assert "release 0002 answers all of the callers, as the canary, from now on." in caplog.text
    assert "release 0003 scores all of the traffic unseen, as the shadow, from now on." in caplog.text
    end_trial(followed.home, "support", **BY)
    followed.until({"stable": "0001"})
    stable = followed.releases.serving("support")
    content = {"task": "support", "generation": 9, "stable": "0001", "canary": "0002", "canary_share": 1.0}
    model.write_bytes(whole[:-1])
    followed.home.rollout("support").write_text(json.dumps({**content, "shadow": "0003"}))
    followed.wait(lambda: followed.state().trial_problem)
    assert followed.roles() == {"stable": "0001", "shadow": "0003"}
    assert followed.answers("anybody") == "0001"
    assert followed.releases.serving("support") is stable
    followed.releases.check_ready()
    state = followed.state()
    assert state.state == "degraded"
    for words in ("The canary 0002 is not tried", "model.onnx", "perennial releases end-trial support"):
        assert words in (state.problem or "")
    assert followed.failures() >= 1
    assert "The canary 0002 is not tried" in caplog.text
    assert ("0002", "canary") not in {place for place, value in followed.info().items() if value}
    # Whole again, it is taken without the file being written anew.
    model.write_bytes(whole)
    followed.wait(lambda: followed.roles().get("canary") == "0002")
    followed.wait(lambda: followed.state().problem is None)
    assert followed.answers("anybody") == "0002"
    assert followed.releases.serving("support") is stable


def test_a_stable_release_that_cannot_be_loaded_leaves_the_old_one_and_the_trials(followed: Followed) -> None:
    (followed.home.release("support", "0003") / MODEL_FILE).write_bytes(b"damaged")
    content = {"task": "support", "generation": 9, "stable": "0003", "canary": "0002", "canary_share": 1.0}
    followed.home.rollout("support").write_text(json.dumps(content))
    followed.until({"stable": "0001", "canary": "0002"})
    state = followed.state()
    assert "0003" in (state.stable_problem or "")
    assert state.trial_problem is None
    followed.releases.check_ready()


def test_a_malformed_file_changes_nothing_that_is_loaded(followed: Followed) -> None:
    try_canary(followed.home, "support", "0002", 0.5, **BY)
    followed.until({"stable": "0001", "canary": "0002"})
    followed.home.rollout("support").write_text(
        '{"task": "support", "generation": 9, "stable": "0001", "canary": "0001"'
    )
    followed.wait(lambda: followed.state().problem)
    assert followed.roles() == {"stable": "0001", "canary": "0002"}


def test_feedback_may_name_the_labels_of_every_loaded_release(followed: Followed) -> None:
    assert followed.releases.labels("support") == {"billing", "delivery", "other"}
    try_canary(followed.home, "support", "0002", 0.5, **BY)
    followed.until({"stable": "0001", "canary": "0002"})
    assert followed.releases.labels("support") == {"billing", "delivery", "other", "praise"}


def test_tasks_that_are_unknown_or_have_nothing_loaded(followed: Followed) -> None:
    with pytest.raises(TaskUnknownError):
        followed.releases.route("nothing", "key", None)
    assert followed.releases.shadow("nothing") is None
    followed.home.releases("empty").mkdir()
    followed.wait(lambda: followed.releases.knows("empty"))
    for version in (None, "0001"):
        with pytest.raises(TaskNotServedError):
            followed.releases.route("empty", "key", version)
    with pytest.raises(TaskNotServedError):
        followed.releases.labels("empty")


def test_a_first_release_that_is_missing_is_not_replaced_by_its_canary(
    home: Home, make_release: Callable[..., Manifest]
) -> None:
    make_release(home)
    content = {"task": "support", "generation": 1, "stable": "0009", "canary": "0001", "canary_share": 1.0}
    home.rollout("support").write_text(json.dumps(content))
    assert read_rollout(home, "support") is not None
    releases = Releases(home, threads=1, poll_seconds=0.02, metrics=ServiceMetrics())
    releases.start()
    try:
        deadline = time.monotonic() + 20
        while not (releases.knows("support") and releases.state("support").problem):
            assert time.monotonic() < deadline
            time.sleep(0.01)
        with pytest.raises(TaskNotServedError, match="0009"):
            releases.route("support", "key", None)
    finally:
        releases.stop(5)
