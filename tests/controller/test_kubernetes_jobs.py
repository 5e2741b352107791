"""The Job's manifest against Kubernetes' own schema, and the adapter against an API server's answers over HTTP."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import kubernetes_validate
import pytest
import yaml
from kubernetes import client

from contracts.errors import SettingsError
from contracts.home import Home
from controller.jobs import JobNotStartedError
from controller.kubernetes_jobs import KubernetesRunner, job_manifest, job_name, read_template
from controller.settings import ControllerSettings

TEMPLATE = """
apiVersion: batch/v1
kind: Job
metadata: {name: template, labels: {app: training}}
spec:
  backoffLimit: 0
  template:
    spec:
      restartPolicy: Never
      containers:
        - {name: training, image: "perennial-training:1"}
"""
REQUEST = "support-0001-abcdefab"


class ApiServer:
    """Keeps Jobs as an API server does, as far as names and states go."""

    def __init__(self) -> None:
        self.jobs: dict[str, dict[str, Any]] = {}
        self.refuse_with: int | None = None
        server = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = json.loads(self.rfile.read(int(self.headers["content-length"])))
                name = body["metadata"]["name"]
                if server.refuse_with or name in server.jobs:
                    return self.answer(server.refuse_with or 409, {"kind": "Status"})
                server.jobs[name] = body
                return self.answer(201, body)

            def do_GET(self) -> None:
                name = self.path.rsplit("/", 1)[-1]
                if server.refuse_with or name not in server.jobs:
                    return self.answer(server.refuse_with or 404, {"kind": "Status"})
                return self.answer(200, server.jobs[name])

            def answer(self, status: int, body: dict[str, Any]) -> None:
                content = json.dumps(body).encode()
                self.send_response(status)
                self.send_header("content-type", "application/json")
                self.send_header("content-length", str(len(content)))
                self.end_headers()
                self.wfile.write(content)

            def log_message(self, *_: Any) -> None:
                return

        self.http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=self.http.serve_forever, daemon=True).start()

    def end(self, name: str, kind: str) -> None:
        self.jobs[name]["status"] = {"conditions": [{"type": kind, "status": "True"}]}


@pytest.fixture
def server() -> Iterator[ApiServer]:
    server = ApiServer()
    yield server
    server.http.shutdown()
    server.http.server_close()


@pytest.fixture
def folder(home: Home) -> Path:
    path = home.requests("support") / REQUEST
    path.mkdir(parents=True)
    return path


@pytest.fixture
def runner(home: Home, server: ApiServer) -> KubernetesRunner:
    configuration = client.Configuration(host=f"http://127.0.0.1:{server.http.server_port}")
    configuration.retries = False
    api = client.BatchV1Api(client.ApiClient(configuration))
    return KubernetesRunner(home, "perennial", yaml.safe_load(TEMPLATE), api)


def test_the_manifest_is_a_valid_job_with_the_request_in_it(home: Home, folder: Path) -> None:
    template = yaml.safe_load(TEMPLATE)
    body = job_manifest(template, folder, home, 1)
    kubernetes_validate.validate(body, "1.32", strict=True)
    assert body["metadata"]["name"] == REQUEST
    assert body["metadata"]["labels"] == {
        "app": "training", "perennial/request": REQUEST, "perennial/task": "support"
    }  # fmt: skip
    container = body["spec"]["template"]["spec"]["containers"][0]
    assert container["command"] == ["python", "-m", "training.job"]
    assert container["args"] == [str(folder), "--home", str(home.root)]
    assert template == yaml.safe_load(TEMPLATE)


@pytest.mark.parametrize("attempt", [1, 2, 10])
@pytest.mark.parametrize("request_id", [REQUEST, "a" * 48 + "-12345-abcdefab", "a" * 46 + "-b-1234-abcdefab"])
def test_names_are_distinct_and_short(request_id: str, attempt: int) -> None:
    name = job_name(request_id, attempt)
    assert len(name) <= 63
    assert name[0].isalnum()
    assert name != job_name(request_id, attempt + 1)
    assert "abcdefab" in name


def test_a_job_lives_until_it_is_complete_or_failed(runner: KubernetesRunner, server: ApiServer, folder: Path) -> None:
    assert not runner.is_alive(folder, 0)
    assert not runner.is_alive(folder, 1)
    runner.start(folder, 1)
    runner.start(folder, 1)
    assert list(server.jobs) == [REQUEST]
    assert runner.is_alive(folder, 1)
    server.end(REQUEST, "Failed")
    assert not runner.is_alive(folder, 1)
    runner.start(folder, 2)
    assert runner.is_alive(folder, 2)
    server.end(f"{REQUEST}-2", "Complete")
    assert not runner.is_alive(folder, 2)
    assert not runner.stop(folder, 2, None, grace=1)


def test_trouble_of_the_api_server_is_no_attempt_and_a_refusal_is(
    runner: KubernetesRunner, server: ApiServer, folder: Path
) -> None:
    server.refuse_with = 503
    with pytest.raises(JobNotStartedError):
        runner.start(folder, 1)
    with pytest.raises(JobNotStartedError):
        runner.is_alive(folder, 1)
    server.refuse_with = 403
    with pytest.raises(OSError, match="Role"):
        runner.start(folder, 1)
    with pytest.raises(JobNotStartedError):
        runner.is_alive(folder, 1)
    server.http.shutdown()
    server.http.server_close()
    with pytest.raises(JobNotStartedError, match="cannot be reached"):
        runner.start(folder, 1)


@pytest.mark.parametrize(
    "content", ["", "[]", "kind: Job", "kind: Pod\nspec: {}", ": :", TEMPLATE.replace("Job", "Pod")]
)
def test_templates_that_are_none_are_named(tmp_path: Path, content: str) -> None:
    (tmp_path / "job.yaml").write_text(content)
    with pytest.raises(SettingsError, match="JOB_TEMPLATE"):
        read_template(ControllerSettings(kubernetes_job_template=tmp_path / "job.yaml"))
    with pytest.raises(SettingsError, match="JOB_TEMPLATE"):
        read_template(ControllerSettings(kubernetes_job_template=tmp_path / "none.yaml"))


def test_outside_a_cluster_it_says_so(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("KUBERNETES_SERVICE_HOST", raising=False)
    with pytest.raises(SettingsError, match="service account"):
        KubernetesRunner.in_cluster(home, ControllerSettings())
