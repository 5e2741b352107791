"""The Dockerfile makes the images that the manifests name, from files that exist."""

from __future__ import annotations

import importlib.util
import re
import tomllib
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

ROOT = Path(__file__).parents[2]
DOCKERFILE = (ROOT / "k8s" / "images" / "Dockerfile").read_text(encoding="utf-8")


@pytest.fixture
def requirements() -> ModuleType:
    specification = importlib.util.spec_from_file_location("requirements", ROOT / "k8s" / "images" / "requirements.py")
    assert specification is not None
    assert specification.loader is not None
    module = importlib.util.module_from_spec(specification)
    specification.loader.exec_module(module)
    return module


def test_every_image_of_the_manifests_is_a_target(programs: dict[str, Any]) -> None:
    targets = re.findall(r"^FROM runtime AS (\w+)$", DOCKERFILE, re.MULTILINE)
    assert sorted(targets) == sorted([*programs, "training"])


def test_the_user_is_the_one_that_the_manifests_run_as(programs: dict[str, Any]) -> None:
    users = {p["spec"]["template"]["spec"]["securityContext"]["runAsUser"] for p in programs.values()}
    assert re.findall(r"^USER (\d+):\d+$", DOCKERFILE, re.MULTILINE) == [str(user) for user in users]


def test_what_is_copied_exists_and_all_packages_are() -> None:
    copied = [
        source for line in re.findall(r"^COPY (?!--)(.+)$", DOCKERFILE, re.MULTILINE) for source in line.split()[:-1]
    ]
    assert [source for source in copied if not (ROOT / source).exists()] == []
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    packages = project["tool"]["hatch"]["build"]["targets"]["wheel"]["packages"]
    assert set(packages) <= set(copied)


def test_each_target_installs_an_extra_and_only_training_holds_torch(requirements: ModuleType) -> None:
    extras = re.findall(r"requirements\.py (\w+)", DOCKERFILE)
    assert sorted(extras) == ["controller", "monitoring", "service", "training"]
    listed = {extra: requirements.requirements(ROOT / "pyproject.toml", extra) for extra in extras}
    heavy = {
        extra
        for extra, found in listed.items()
        if re.search(r"^(torch|transformers|optimum)\b", "\n".join(found), re.M)
    }
    assert heavy == {"training"}


def test_tasks_whose_texts_are_lemmatized_are_served_and_retrained() -> None:
    given = [line.split() for line in re.findall(r"requirements\.py ([\w ]+) >", DOCKERFILE)]
    assert sorted(extras[0] for extras in given if "lemmas" in extras) == ["service", "training"]
