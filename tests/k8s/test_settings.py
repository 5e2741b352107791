"""What the manifests tell the programs is what the programs understand: variables, ports, routes and verbs."""

from __future__ import annotations

import importlib
import os
from argparse import ArgumentParser
from dataclasses import replace
from pathlib import Path
from typing import Any

import kubernetes_validate
import yaml

from contracts.home import Home
from controller.kubernetes_jobs import JobApi, job_manifest, read_template
from controller.settings import ControllerSettings
from monitoring.settings import MonitorSettings
from service.settings import ServiceSettings

Manifest = dict[str, Any]


def container(programs: dict[str, Manifest], name: str) -> Manifest:
    [found] = programs[name]["spec"]["template"]["spec"]["containers"]
    return found


def environment(programs: dict[str, Manifest], name: str) -> dict[str, str]:
    return {v["name"]: v.get("value", "from-a-field") for v in container(programs, name)["env"]}


class Witness(dict[str, str]):
    """An environment that remembers which of its variables a program looked at."""

    def __init__(self, values: dict[str, str]) -> None:
        super().__init__(values)
        self.seen: set[str] = set()

    def __getitem__(self, name: str) -> str:
        self.seen.add(name)
        return super().__getitem__(name)

    def get(self, name: str, default: Any = None) -> Any:
        self.seen.add(name)
        return super().get(name, default)


def port(programs: dict[str, Manifest], name: str, of: str = "http") -> int:
    [found] = [port for port in container(programs, name)["ports"] if port["name"] == of]
    number: int = found["containerPort"]
    return number


def test_the_service_listens_where_it_is_probed(programs: dict[str, Manifest]) -> None:
    given = Witness(environment(programs, "service"))
    settings = ServiceSettings.from_environment(given)
    assert (settings.host, settings.port) == ("0.0.0.0", port(programs, "service"))
    assert settings.metrics_port == port(programs, "service", "metrics")
    assert settings.home == Home(Path("/home/perennial"))
    assert unread(given) == set()
    pod = programs["service"]["spec"]["template"]["spec"]
    pause = container(programs, "service")["lifecycle"]["preStop"]["sleep"]["seconds"]
    assert pause + settings.drain_seconds < pod["terminationGracePeriodSeconds"]


def test_keys_are_a_secret_that_the_service_follows_in_a_mounted_file(tmp_path: Path, rendered: Any) -> None:
    k8s = os.path.relpath(Path(__file__).parents[2] / "k8s", tmp_path)
    kustomization = {"resources": [f"{k8s}/base"], "components": [f"{k8s}/components/api-keys"]}
    (tmp_path / "kustomization.yaml").write_text(yaml.safe_dump(kustomization), encoding="utf-8")
    [deployment] = [
        m for m in rendered(tmp_path) if m["metadata"]["name"] == "perennial-service" and "strategy" in m["spec"]
    ]
    kubernetes_validate.validate(deployment, "1.32", strict=True)
    settings = ServiceSettings.from_environment(environment({"service": deployment}, "service"))
    [mount] = [m for m in container({"service": deployment}, "service")["volumeMounts"] if m["name"] == "api-keys"]
    assert settings.api_keys_file == Path(mount["mountPath"]) / "keys"
    assert "subPath" not in mount
    [volume] = [v for v in deployment["spec"]["template"]["spec"]["volumes"] if v["name"] == "api-keys"]
    # The pods' user is not its owner; its group is theirs.
    assert volume["secret"] == {"secretName": "perennial-api-keys", "defaultMode": 0o440}


def test_the_monitor_listens_where_it_is_scraped(programs: dict[str, Manifest]) -> None:
    given = Witness(environment(programs, "monitor"))
    settings = MonitorSettings.from_environment(given)
    assert (settings.host, settings.port) == ("0.0.0.0", port(programs, "monitor"))
    assert unread(given) == set()


def test_the_monitor_posts_alerts_only_where_no_alertmanager_does(rendered: Any) -> None:
    def alert_url(folder: str) -> str | None:
        found = {m["metadata"]["name"]: m for m in rendered(folder) if m["kind"] == "Deployment"}
        return MonitorSettings.from_environment(
            environment({"monitor": found["perennial-monitor"]}, "monitor")
        ).alert_url

    assert alert_url("overlays/production") is None
    assert alert_url("overlays/local") == "http://perennial-controller:3002/alerts"


def test_the_controller_starts_kubernetes_jobs_from_the_mounted_template(programs: dict[str, Manifest]) -> None:
    given = Witness(environment(programs, "controller"))
    settings = ControllerSettings.from_environment(given)
    assert (settings.host, settings.port) == ("0.0.0.0", port(programs, "controller"))
    assert settings.runner == "kubernetes"
    assert unread(given) == set()
    mounts = {m["mountPath"]: m["name"] for m in container(programs, "controller")["volumeMounts"]}
    assert settings.kubernetes_job_template is not None
    assert settings.kubernetes_job_template.name == "job.yaml"
    volume = mounts[str(settings.kubernetes_job_template.parent)]
    [source] = [v for v in programs["controller"]["spec"]["template"]["spec"]["volumes"] if v["name"] == volume]
    assert source["configMap"] == {"name": "perennial-training"}


def test_each_program_is_a_verb_of_the_command(programs: dict[str, Manifest]) -> None:
    for name in programs:
        verb, *words = container(programs, name)["args"]
        parser = ArgumentParser()
        importlib.import_module(f"cli.{verb}").configure(parser)
        _, unknown = parser.parse_known_args(words)
        assert unknown == [], name


def test_the_job_that_the_controller_makes_is_valid(
    programs: dict[str, Manifest], training_job: Manifest, tmp_path: Path
) -> None:
    template = tmp_path / "job.yaml"
    template.write_text(yaml.safe_dump(training_job), encoding="utf-8")
    settings = ControllerSettings.from_environment(environment(programs, "controller"))
    home = Home(Path("/home/perennial"))
    folder = home.requests("support") / "support-0001-000007-1a2b3c4d"
    job = job_manifest(read_template(replace(settings, kubernetes_job_template=template)), folder, home, attempt=2)
    kubernetes_validate.validate(job, "1.32", strict=True)
    assert job["metadata"]["name"] == "support-0001-000007-1a2b3c4d-2"
    [made] = job["spec"]["template"]["spec"]["containers"]
    assert (made["command"], made["args"]) == (
        ["python", "-m", "training.job"],
        [str(folder), "--home", "/home/perennial"],
    )
    assert job["spec"]["activeDeadlineSeconds"] == settings.job_timeout_seconds


def test_the_role_covers_the_calls_that_the_controller_makes(manifests: list[Manifest]) -> None:
    [role] = [m for m in manifests if m["kind"] == "Role"]
    calls = {name for name in vars(JobApi) if not name.startswith("_")}
    assert calls == {"create_namespaced_job", "read_namespaced_job"}
    assert role["rules"][0]["verbs"] == ["create", "get"]


def unread(given: Witness) -> set[str]:
    # PERENNIAL_HOME is read by every program's main.
    return {name for name in given if name.startswith("PERENNIAL_")} - given.seen - {"PERENNIAL_HOME"}
