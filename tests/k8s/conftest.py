"""What `kubectl kustomize` makes of k8s/, and the rules in it as Prometheus reads them."""

from __future__ import annotations

import functools
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

Manifest = dict[str, Any]
K8S = Path(__file__).parents[2] / "k8s"


@functools.cache
def render(folder: Path) -> str:
    program = shutil.which("kubectl")
    if program is None:
        pytest.skip("kubectl is not installed: the manifests cannot be rendered")
    done = subprocess.run([program, "kustomize", str(folder)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.fixture(scope="session")
def rendered() -> Callable[[str], list[Manifest]]:
    """The manifests of a folder under k8s/, such as `base` or `overlays/local`."""
    return lambda folder: list(yaml.safe_load_all(render(K8S / folder)))


@pytest.fixture(params=["base", "overlays/local", "overlays/production"])
def manifests(request: pytest.FixtureRequest, rendered: Callable[[str], list[Manifest]]) -> list[Manifest]:
    """Each folder that a user may apply, in turn."""
    return rendered(request.param)


@pytest.fixture
def programs(manifests: list[Manifest]) -> dict[str, Manifest]:
    """Deployments by the program's name: service, monitor, controller."""
    found = {m["metadata"]["name"].removeprefix("perennial-"): m for m in manifests if m["kind"] == "Deployment"}
    assert sorted(found) == ["controller", "monitor", "service"]
    return found


@pytest.fixture
def training_job(manifests: list[Manifest]) -> Manifest:
    """The Job that the controller's ConfigMap describes."""
    [config] = [m for m in manifests if m["kind"] == "ConfigMap" and m["metadata"]["name"] == "perennial-training"]
    job: Manifest = yaml.safe_load(config["data"]["job.yaml"])
    return job


@pytest.fixture(scope="session")
def rule_groups(rendered: Callable[[str], list[Manifest]]) -> list[Manifest]:
    """The groups of the PrometheusRule: the same text as a plain rule file's."""
    [rule] = [m for m in rendered("overlays/production") if m["kind"] == "PrometheusRule"]
    groups: list[Manifest] = rule["spec"]["groups"]
    return groups


@pytest.fixture
def rule_file(rule_groups: list[Manifest], tmp_path: Path) -> Path:
    """A rule file for promtool and for a plain Prometheus."""
    path = tmp_path / "rules.yaml"
    path.write_text(yaml.safe_dump({"groups": rule_groups}), encoding="utf-8")
    return path


@pytest.fixture
def program() -> Callable[[str], str]:
    """The path of an installed program; the test is skipped without it."""

    def find(name: str) -> str:
        path = shutil.which(name)
        if path is None:
            pytest.skip(f"{name} is not installed")
        return path

    return find
