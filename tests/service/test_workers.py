"""Several worker processes: what becomes of one that dies or hangs, and how they log."""

from __future__ import annotations

import os
import re
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import psutil

from contracts.home import Home
from contracts.release import Manifest

KEY = {"x-api-key": "alice-secret-0123456789", "connection": "close"}


def workers(server: Any) -> list[psutil.Process]:
    return psutil.Process(server.process.pid).children()


def ready_with(server: Any, count: int) -> None:
    """Until so many workers have loaded their releases, in all since the start."""
    server.wait_for(lambda: server.output().count("release 0001 answers from now on") == count, f"{count} are ready")


def test_a_worker_that_is_stopped_is_replaced(
    home: Home, start_server: Callable[..., Any], release_served: Callable[..., Manifest]
) -> None:
    release_served(home)
    server = start_server(home, environment={"PERENNIAL_WORKERS": "2", "PERENNIAL_HEARTBEAT_SECONDS": "5"})
    ready_with(server, 2)
    stopped, other = workers(server)
    stopped.send_signal(signal.SIGSTOP)
    server.wait_for(lambda: f"(process {stopped.pid}) gave no sign of life" in server.output(), "noticed")
    ready_with(server, 3)
    assert stopped.pid not in [one.pid for one in workers(server)]
    assert other.pid in [one.pid for one in workers(server)], "the one that beats stays"
    found = {httpx.get(f"{server.url}/readyz", timeout=30).status_code for _ in range(20)}
    assert found == {200}
    assert server.end(signal.SIGTERM) == 0


def test_a_worker_that_dies_while_the_keys_cannot_be_read_comes_back_with_those_read_before(
    home: Home, tmp_path: Path, start_server: Callable[..., Any], release_served: Callable[..., Manifest]
) -> None:
    release_served(home)
    path = tmp_path / "keys"
    path.write_text("alice:another-secret-0123456789\n")
    server = start_server(home, environment={"PERENNIAL_WORKERS": "2", "PERENNIAL_API_KEYS_FILE": str(path)})
    ready_with(server, 2)
    # A rotation: what is handed on is what was in force last, and not what there was at the start.
    path.with_name("staged").write_text(f"alice:{KEY['x-api-key']}\n")
    path.with_name("staged").replace(path)
    in_force = "API keys of alice are in force"
    server.wait_for(lambda: server.output().count(in_force) == 3, "the parent and both workers have read it")
    for number, spoil in enumerate((path.unlink, lambda: path.write_text("junk\n")), 1):
        spoil()
        for worker in workers(server):
            worker.kill()
        ready_with(server, 2 + 2 * number)
        server.wait_for(server.ready, "ready")
        assert httpx.get(f"{server.url}/v1/models", headers=KEY, timeout=30).status_code == 200
        assert httpx.get(f"{server.url}/v1/models", timeout=30).status_code == 401
        metrics = httpx.get(f"{server.url}/metrics", headers=KEY, timeout=30).text
        assert "perennial_api_keys_stale 1.0" in metrics
    path.write_text(f"alice:{KEY['x-api-key']}\n")
    server.wait_for(
        lambda: "perennial_api_keys_stale 0.0" in httpx.get(f"{server.url}/metrics", headers=KEY, timeout=30).text,
        "mended",
    )
    assert KEY["x-api-key"] not in server.output()


def test_more_keys_than_a_variable_holds_reach_every_worker(
    home: Home, start_server: Callable[..., Any], release_served: Callable[..., Manifest]
) -> None:
    release_served(home)
    # As digests, which are longer, they are more than the 128 KiB that Linux lets one variable be.
    keys = " ".join(["alice:" + KEY["x-api-key"], *(f"b{number}:secret-of-{number:08}" for number in range(2200))])
    server = start_server(home, environment={"PERENNIAL_WORKERS": "2", "PERENNIAL_API_KEYS": keys})
    ready_with(server, 2)
    for key in (KEY["x-api-key"], "secret-of-00002199"):
        for _ in range(10):
            headers = {"x-api-key": key, "connection": "close"}
            assert httpx.get(f"{server.url}/v1/models", headers=headers, timeout=30).status_code == 200
    found = {httpx.get(f"{server.url}/v1/models", timeout=30).status_code for _ in range(10)}
    assert found == {401}
    assert all("PERENNIAL_API_KEYS" not in one.environ() for one in workers(server))


def test_a_ctrl_c_reaches_the_parent_alone_which_ends_the_workers(home: Home, start_server: Callable[..., Any]) -> None:
    server = start_server(home, until_ready=False, environment={"PERENNIAL_WORKERS": "2"})
    server.wait_for(lambda: len(workers(server)) == 2, "started")
    # A terminal sends it to every process of the group.
    group = os.getpgid(server.process.pid)
    assert all(os.getpgid(one.pid) != group for one in workers(server))
    assert server.end(signal.SIGINT) == 0
    assert "Traceback" not in server.output()


def test_lines_of_the_log_have_one_form_with_one_worker_and_with_several(
    home: Home, start_server: Callable[..., Any], release_served: Callable[..., Manifest]
) -> None:
    release_served(home)
    program = [sys.executable, "-m", "cli.main", "serve"]
    for count in ("1", "2"):
        server = start_server(home, command=program, environment={"PERENNIAL_WORKERS": count})
        ready_with(server, int(count))
        assert server.end(signal.SIGTERM) == 0
        form = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ (INFO   |WARNING|ERROR  ) (worker \d+: )?[A-Z]")
        strange = [line for line in server.lines if not form.match(line)]
        assert not strange
        said_by = {found[2] for line in server.lines if (found := form.match(line))}
        assert len(said_by - {None}) == (0 if count == "1" else 2)


def test_however_often_workers_are_replaced_their_metrics_are_no_more_files(
    home: Home, start_server: Callable[..., Any], release_served: Callable[..., Manifest]
) -> None:
    release_served(home)
    server = start_server(home, environment={"PERENNIAL_WORKERS": "2"})
    ready_with(server, 2)
    folder = Path(workers(server)[0].environ()["PROMETHEUS_MULTIPROC_DIR"])
    stale = [path.name for path in folder.glob("gauge_*.db")]
    files = {path.name for path in folder.glob("*.db")}
    for number in range(1, 4):
        workers(server)[0].kill()
        ready_with(server, 2 + number)
    assert {path.name for path in folder.glob("*.db")} == files
    assert stale
    server.client.close()
    server.client = httpx.Client(timeout=30)
    assert server.predict("invoice").status_code == 200
    assert server.metric('perennial_release_info{release="0001",role="stable",task="support"}') == 1
    assert server.end(signal.SIGTERM) == 0
