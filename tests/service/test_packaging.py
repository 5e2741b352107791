"""What is deployed holds no training framework, and BentoML's own commands work from the checkout."""

from __future__ import annotations

import json
import os
import re
import socket
import subprocess
import sys
import time
import tomllib
from collections.abc import Callable
from pathlib import Path

import httpx
import pytest
import yaml

from contracts.home import Home
from contracts.release import Manifest

ROOT = Path(__file__).resolve().parents[2]
FORBIDDEN = ("torch", "transformers", "optimum", "evidently", "pandas", "sklearn", "scipy", "datasets", "kubernetes")
REQUIREMENTS = re.compile(r"torch|transformers|optimum|evidently|pandas|scikit|scipy|datasets|kubernetes")


def test_serving_imports_nothing_heavy() -> None:
    program = "import json, sys, service.app, service.server, service.worker; print(json.dumps(sorted(sys.modules)))"
    environment = {**os.environ, "BENTOML_DO_NOT_TRACK": "True"}
    found = subprocess.run([sys.executable, "-c", program], cwd=ROOT, env=environment, capture_output=True, check=True)
    assert set(json.loads(found.stdout)).isdisjoint(FORBIDDEN)


def test_importing_touches_no_home(tmp_path: Path) -> None:
    environment = {**os.environ, "PERENNIAL_HOME": str(tmp_path / "none"), "PERENNIAL_LISTEN_PORT": "junk"}
    subprocess.run([sys.executable, "-c", "import service.app"], cwd=ROOT, env=environment, check=True)
    assert list(tmp_path.iterdir()) == []


def test_the_bento_requires_serving_libraries_only(tmp_path: Path) -> None:
    environment = {**os.environ, "BENTOML_HOME": str(tmp_path), "BENTOML_DO_NOT_TRACK": "True"}
    command = [sys.executable, "-m", "bentoml", "build", str(ROOT), "--output", "tag"]
    subprocess.run(command, cwd=ROOT, env=environment, check=True, capture_output=True)
    (bento,) = (path.parent for path in tmp_path.glob("bentos/perennial/*/bento.yaml"))
    for name in ("requirements.txt", "requirements.in"):
        path = bento / "env" / "python" / name
        assert not path.exists() or not REQUIREMENTS.search(path.read_text())
    assert "onnxruntime" in (bento / "env" / "python" / "requirements.txt").read_text()
    folders = {path.name for path in (bento / "src").iterdir() if path.is_dir()}
    assert folders == {"service", "contracts"}
    for folder in folders:
        packed = {path.relative_to(bento / "src") for path in (bento / "src" / folder).rglob("*.py")}
        assert packed == {path.relative_to(ROOT) for path in (ROOT / folder).rglob("*.py")}
    described = yaml.safe_load((bento / "bento.yaml").read_text())
    assert {"name": "BENTOML_DO_NOT_TRACK", "value": "True"}.items() <= described["envs"][0].items()


def test_bentofile_and_pyproject_ask_for_the_same_versions() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    declared = {*project["dependencies"], *(r.split(";")[0] for r in project["optional-dependencies"]["service"])}
    bento = yaml.safe_load((ROOT / "bentofile.yaml").read_text())["python"]["packages"]
    assert set(bento) <= declared


def test_plain_bentoml_serve_answers_every_route(home: Home, release_served: Callable[..., Manifest]) -> None:
    release_served(home)
    with socket.socket() as chosen:
        chosen.bind(("127.0.0.1", 0))
        port = chosen.getsockname()[1]
    environment = {
        **os.environ,
        "PERENNIAL_HOME": str(home.root),
        "BENTOML_DO_NOT_TRACK": "True",
        "BENTOML_HOME": str(home.root.parent / "bentoml"),
        "PERENNIAL_THREADS": "1",
    }
    command = [sys.executable, "-m", "bentoml", "serve", "--host", "127.0.0.1", "--port", str(port)]
    process = subprocess.Popen(command, cwd=ROOT, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    url = f"http://127.0.0.1:{port}"
    try:
        end = time.monotonic() + 60
        while True:
            try:
                if httpx.get(f"{url}/readyz").status_code == 200:
                    break
            except httpx.TransportError:
                pass
            assert process.poll() is None
            if time.monotonic() > end:
                pytest.fail("`bentoml serve` did not get ready")
            time.sleep(0.1)
        answer = httpx.post(f"{url}/v1/models/support:predict", json={"instances": ["invoice"]}).json()
        assert answer["predictions"][0]["label"] == "billing"
        items = [{"id": answer["predictions"][0]["id"], "label": "other"}]
        assert httpx.post(f"{url}/v1/models/support:feedback", json={"items": items}).status_code == 202
        assert httpx.get(f"{url}/v1/models").json()["models"][0]["version"] == "0001"
        assert "perennial_requests_total" in httpx.get(f"{url}/metrics").text
        assert httpx.get(f"{url}/nothing").headers["content-type"] == "application/problem+json"
        typed = httpx.post(f"{url}/predict", json={"task": "support", "instances": ["parcel"]}).json()
        assert typed["predictions"][0]["label"] == "delivery"
    finally:
        process.terminate()
        process.wait(30)
    records = [path.read_text() for path in home.predictions("support").glob("*/*/*.jsonl")]
    assert sum(text.count("\n") for text in records) == 2
