"""Small whole releases, whose files hold bytes that no program needs to understand."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from contracts.home import Home
from contracts.release import REQUIRED_FILES, GateVerdict, Lineage, Manifest
from contracts.release_store import publish, staging
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
    def make(home: Home, task: str = "support") -> Manifest:
        with staging(home, task) as staged:
            for name in REQUIRED_FILES:
                (staged / name).write_bytes(f"content of {name}\n".encode() * 10)
            return publish(home, staged, a_manifest(task))

    return make
