"""From a gauge to the controller's webhook through a real Prometheus and a real Alertmanager, on loopback."""

from __future__ import annotations

import http.server
import queue
import re
import socket
import subprocess
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import pytest
import yaml
from prometheus_client import CollectorRegistry, Gauge, start_http_server

from contracts import metrics
from contracts.alert import DRIFT_ALERT, AlertMessage

Manifest = dict[str, Any]
ROUTE = Path(__file__).parents[2] / "k8s" / "alertmanager.yml"
WAIT_SECONDS = 60.0


@pytest.fixture
def route() -> Manifest:
    found: Manifest = yaml.safe_load(ROUTE.read_text(encoding="utf-8"))
    return found


def snake(name: str) -> str:
    return re.sub(r"([A-Z])", lambda found: "_" + found[1].lower(), name)


def test_the_plain_route_says_what_the_operators_does(
    route: Manifest, rendered: Callable[[str], list[Manifest]]
) -> None:
    [config] = [m["spec"] for m in rendered("overlays/production") if m["kind"] == "AlertmanagerConfig"]
    [plain] = route["route"]["routes"]
    assert plain.pop("continue") is True
    plain["matchers"] = [re.fullmatch(r'(\w+)="(\w+)"', matcher).groups() for matcher in plain["matchers"]]
    operators = {snake(name): value for name, value in config["route"].items()}
    operators["matchers"] = [(matcher["name"], matcher["value"]) for matcher in operators["matchers"]]
    assert plain == operators
    [webhook] = [r["webhook_configs"] for r in route["receivers"] if r["name"] == plain["receiver"]]
    [receiver] = config["receivers"]
    assert webhook == [{snake(name): value for name, value in hook.items()} for hook in receiver["webhookConfigs"]]


def test_amtool_accepts_the_plain_route(program: Callable[[str], str]) -> None:
    done = subprocess.run([program("amtool"), "check-config", str(ROUTE)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def test_drift_reaches_the_controllers_webhook_and_so_does_its_end(
    route: Manifest, rule_file: Path, tmp_path: Path, program: Callable[[str], str]
) -> None:
    prometheus, alertmanager = program("prometheus"), program("prometheus-alertmanager")
    registry = CollectorRegistry()
    alerting = Gauge(metrics.DRIFT_ALERTING, "As the monitor has it", ("task", "release"), registry=registry)
    alerting.labels("support", "0001").set(1)
    alerting.labels("intents", "0003").set(0)
    exporter, exporter_thread = start_http_server(0, addr="127.0.0.1", registry=registry)
    with ExitStack() as stack:
        stack.callback(exporter_thread.join)
        stack.callback(exporter.server_close)
        stack.callback(exporter.shutdown)
        posted, webhook_port = stack.enter_context(webhook())
        alertmanager_port = free_port()

        [child] = route["route"]["routes"]
        child |= {"group_wait": "0s", "group_interval": "1s"}
        [hooks] = [r["webhook_configs"] for r in route["receivers"] if r["name"] == child["receiver"]]
        hooks[0]["url"] = f"http://127.0.0.1:{webhook_port}/alerts"
        (tmp_path / "alertmanager.yml").write_text(yaml.safe_dump(route), encoding="utf-8")
        (tmp_path / "prometheus.yml").write_text(
            yaml.safe_dump(
                {
                    "global": {"scrape_interval": "1s", "evaluation_interval": "1s"},
                    "rule_files": [str(rule_file)],
                    "scrape_configs": [
                        {"job_name": "monitor", "static_configs": [{"targets": [f"127.0.0.1:{exporter.server_port}"]}]}
                    ],
                    "alerting": {
                        "alertmanagers": [{"static_configs": [{"targets": [f"127.0.0.1:{alertmanager_port}"]}]}]
                    },
                }
            ),
            encoding="utf-8",
        )
        stack.enter_context(
            running(
                tmp_path / "alertmanager.log",
                *(alertmanager, f"--config.file={tmp_path / 'alertmanager.yml'}", "--cluster.listen-address="),
                *(f"--storage.path={tmp_path / 'alerts'}", f"--web.listen-address=127.0.0.1:{alertmanager_port}"),
            )
        )
        stack.enter_context(
            running(
                tmp_path / "prometheus.log",
                *(prometheus, f"--config.file={tmp_path / 'prometheus.yml'}"),
                *(f"--storage.tsdb.path={tmp_path / 'series'}", f"--web.listen-address=127.0.0.1:{free_port()}"),
            )
        )

        fired = AlertMessage.model_validate_json(posted.get(timeout=WAIT_SECONDS))
        assert fired.status == "firing"
        assert [(a.labels["alertname"], a.labels["task"], a.labels["release"]) for a in fired.alerts] == [
            (DRIFT_ALERT, "support", "0001")
        ]

        alerting.labels("support", "0001").set(0)
        ended = AlertMessage.model_validate_json(posted.get(timeout=WAIT_SECONDS))
        assert (ended.status, ended.alerts[0].labels) == ("resolved", fired.alerts[0].labels)


@contextmanager
def webhook() -> Iterator[tuple[queue.Queue[bytes], int]]:
    """A server that keeps what is posted to /alerts, and its port."""
    posted: queue.Queue[bytes] = queue.Queue()

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            if self.path == "/alerts":
                posted.put(body)
            self.send_response(200)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield posted, server.server_port
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


@contextmanager
def running(log: Path, *command: str) -> Iterator[None]:
    """A program that runs meanwhile; its output goes to `log`."""
    with log.open("wb") as output:
        process = subprocess.Popen(command, stdout=output, stderr=subprocess.STDOUT)
        try:
            yield
        finally:
            process.terminate()
            process.wait(30)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
