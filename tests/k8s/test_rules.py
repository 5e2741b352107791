"""The rules say what they should, and use no name that the programs do not expose."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from contracts import metrics
from contracts.alert import DRIFT_ALERT
from service.http.api import find_route

Manifest = dict[str, Any]
RULE_TESTS = sorted((Path(__file__).parent / "rules").glob("*.yaml"))

COUNTERS = {
    "REQUESTS", "PREDICTIONS", "MODEL_FAILURES", "SHADOW_PREDICTIONS", "CACHE_LOOKUPS", "RUN_TOKENS",
    "RELEASE_FAILURES", "LOG_WRITTEN", "LOG_DROPPED", "FEEDBACK", "ALERTS", "DECISIONS",
}  # fmt: skip
HISTOGRAMS = {"REQUEST_SECONDS", "PREDICTION_SECONDS", "BATCH_SIZE", "BATCH_TOKENS"}


def exposed() -> set[str]:
    """Names of the samples that prometheus_client makes of the metrics."""
    found = set()
    for constant in (name for name in vars(metrics) if name.isupper() and name != "ALL"):
        value = getattr(metrics, constant)
        suffixes = (
            ("_bucket", "_sum", "_count") if constant in HISTOGRAMS else ("_total",) if constant in COUNTERS else ("",)
        )
        found |= {value + suffix for suffix in suffixes}
    return found


def expressions(rule_groups: list[Manifest], dashboard: Manifest) -> Iterator[str]:
    yield from (rule["expr"] for group in rule_groups for rule in group["rules"])
    yield from (target["expr"] for panel in dashboard["panels"] for target in panel["targets"])
    yield from (variable["query"] for variable in dashboard["templating"]["list"])


@pytest.fixture
def dashboard(rendered: Callable[[str], list[Manifest]]) -> Manifest:
    [config] = [m for m in rendered("overlays/production") if m["metadata"]["name"] == "perennial-dashboard"]
    found: Manifest = json.loads(config["data"]["perennial.json"])
    return found


def test_rules_and_dashboard_use_only_names_of_the_contract(rule_groups: list[Manifest], dashboard: Manifest) -> None:
    recorded = {rule["record"] for group in rule_groups for rule in group["rules"] if "record" in rule}
    used = {
        name
        for expression in expressions(rule_groups, dashboard)
        for name in re.findall(r"[a-z_:]*perennial_[a-z0-9_:]+", expression)
    }
    assert used - recorded - exposed() == set()
    assert recorded - used == set(), "recorded, and used by nobody"
    assert len(used) > 15


def test_labels_are_those_that_the_contract_names(rule_groups: list[Manifest], dashboard: Manifest) -> None:
    # Each name's comment there tells its labels: "# counter: task, route, code", and perhaps more behind a semicolon.
    listed = re.findall(
        r"# (?:counter|histogram|gauge)[^\n]*: ([^\n]+)", Path(metrics.__file__).read_text(encoding="utf-8")
    )
    known = {label.split()[0] for labels in listed for label in labels.split(";")[0].split(",")} | {"namespace", "le"}
    assert {"task", "release", "code", "detector", "source"} <= known
    for expression in expressions(rule_groups, dashboard):
        grouped = re.findall(r"by \(([a-z_, ]+)\)", expression)
        labels = {label.strip() for group in grouped for label in group.split(",")}
        labels |= set(re.findall(r"[{,]\s*([a-z_]+)\s*(?:=~|!=|=)", expression))
        assert labels <= known, expression


def test_routes_are_those_of_the_service(rule_groups: list[Manifest], dashboard: Manifest) -> None:
    selected = {
        name
        for expression in expressions(rule_groups, dashboard)
        for names in re.findall(r'route=~?"([^"]+)"', expression)
        for name in names.split("|")
    }
    served = {found.name for verb in selected if (found := find_route(f"/v1/models/support:{verb}")[0]) is not None}
    assert served == selected == {"predict", "feedback"}


def test_the_drift_alert_is_the_one_that_the_controller_and_the_route_know(
    rule_groups: list[Manifest], rendered: Callable[[str], list[Manifest]]
) -> None:
    assert [r for g in rule_groups for r in g["rules"] if r.get("alert") == DRIFT_ALERT]
    [config] = [m for m in rendered("overlays/production") if m["kind"] == "AlertmanagerConfig"]
    route = config["spec"]["route"]
    assert route["matchers"] == [{"name": "alertname", "value": DRIFT_ALERT}]
    [receiver] = [r for r in config["spec"]["receivers"] if r["name"] == route["receiver"]]
    [webhook] = receiver["webhookConfigs"]
    [service] = [
        m["metadata"]["name"] + "." + m["metadata"]["namespace"] + f".svc:{m['spec']['ports'][0]['port']}"
        for m in rendered("overlays/production")
        if m["kind"] == "Service" and m["metadata"]["name"] == "perennial-controller"
    ]
    assert webhook == {"url": f"http://{service}/alerts", "sendResolved": True}


def test_every_alert_says_what_to_do_and_how_urgent_it_is(rule_groups: list[Manifest]) -> None:
    alerts = [rule for group in rule_groups for rule in group["rules"] if "alert" in rule]
    for alert in alerts:
        assert alert["labels"]["severity"] in {"page", "ticket", "warning"}
        assert {"summary", "description"} <= set(alert["annotations"])


def test_promtool_accepts_the_rules(rule_file: Path, program: Callable[[str], str]) -> None:
    done = subprocess.run(
        [program("promtool"), "check", "rules", str(rule_file)], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("source", RULE_TESTS, ids=lambda path: path.stem)
def test_promtool_runs_the_rule_tests(source: Path, rule_file: Path, program: Callable[[str], str]) -> None:
    shutil.copy(source, rule_file.parent / source.name)
    done = subprocess.run(
        [program("promtool"), "test", "rules", source.name],
        cwd=rule_file.parent,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_every_alert_is_tested(rule_groups: list[Manifest]) -> None:
    alerts = {rule["alert"] for group in rule_groups for rule in group["rules"] if "alert" in rule}
    tested = " ".join(str(yaml.safe_load(source.read_text(encoding="utf-8"))) for source in RULE_TESTS)
    assert {alert for alert in alerts if alert not in tested} == set()
