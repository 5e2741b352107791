"""Small whole releases, whose files hold bytes that no program needs to understand."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from contracts.home import Home
from contracts.release import REQUIRED_FILES, GateVerdict, Lineage, Manifest
from contracts.release_store import publish, staging
from contracts.rollout import Rollout, end_trial, promote, rollback, try_canary, try_shadow
from contracts.task import DataSpec, TaskSpec


def a_manifest(task: str = "support") -> Manifest:
    return Manifest(
        task=task,
        kind="classification",
        created=1_700_000_000.5,
        labels=("billing", "delivery"),
        temperature=1.25,
        max_tokens=64,
        token_type_ids=True,
        metrics={"accuracy": 0.93},
        gate=(GateVerdict(name="min_accuracy", passed=True, expected=">= 0.9", found="0.93"),),
        lineage=Lineage(base_model="tiny", base_sha256="1" * 64, data_fingerprint="2" * 64, seed=13),
        spec=TaskSpec(name=task, data=DataSpec(path="support.csv")),
    )


@pytest.fixture(scope="session")
def manifest() -> Manifest:
    return a_manifest()


@pytest.fixture(scope="session")
def publish_small() -> Callable[..., Manifest]:
    def make(home: Home, task: str = "support", **update: object) -> Manifest:
        with staging(home, task) as staged:
            for name in REQUIRED_FILES:
                (staged / name).write_bytes(f"content of {name}\n".encode() * 10)
            return publish(home, staged, a_manifest(task).model_copy(update=update))

    return make


@pytest.fixture(scope="module")
def published(tmp_path_factory: pytest.TempPathFactory, publish_small: Callable[..., Manifest]) -> Home:
    """A home with releases 0001 to 0004 of `support`."""
    home = Home(tmp_path_factory.mktemp("published"))
    for _ in range(4):
        publish_small(home)
    return home


@pytest.fixture
def fresh(published: Home) -> Home:
    """The same, and nothing was ever promoted."""
    published.rollout("support").unlink(missing_ok=True)
    return published


@pytest.fixture(scope="session")
def up() -> Callable[..., Rollout]:
    def act(home: Home, version: str, now: float = 1.0) -> Rollout:
        return promote(home, "support", version, by="test", reason="better", now=now)

    return act


@pytest.fixture(scope="session")
def back() -> Callable[..., Rollout]:
    def act(home: Home, now: float = 2.0) -> Rollout:
        return rollback(home, "support", by="test", reason="worse", now=now)

    return act


@pytest.fixture(scope="session")
def canary() -> Callable[..., Rollout]:
    def act(home: Home, version: str, share: float = 0.1, now: float = 3.0) -> Rollout:
        return try_canary(home, "support", version, share, by="test", reason="looks good", now=now)

    return act


@pytest.fixture(scope="session")
def shadow() -> Callable[..., Rollout]:
    def act(home: Home, version: str, share: float = 1.0, now: float = 3.0) -> Rollout:
        return try_shadow(home, "support", version, share, by="test", reason="to see", now=now)

    return act


@pytest.fixture(scope="session")
def ended() -> Callable[..., Rollout]:
    def act(home: Home, now: float = 4.0) -> Rollout:
        return end_trial(home, "support", by="test", reason="seen enough", now=now)

    return act
