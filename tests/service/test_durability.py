"""Signals, full disks and several processes: what was acknowledged stays, what was accepted is answered."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable
from hashlib import sha256
from typing import Any

import httpx
import psutil

from contracts.home import Home
from contracts.log import Cursor, read_new
from contracts.records import FeedbackRecord, PredictionRecord
from contracts.release import Manifest
from contracts.task import LimitSpec


def test_feedback_that_was_acknowledged_survives_sigkill_and_ids_survive_a_restart(
    home: Home, start_server: Callable[..., Any], release_served: Callable[..., Manifest]
) -> None:
    release_served(home)
    server = start_server(home)
    found = [one["id"] for one in server.predict("invoice", "parcel").json()["predictions"]]
    assert server.feedback((found[0], "other")).status_code == 202
    server.end(signal.SIGKILL)
    kept = list(read_new(home.feedback("support"), FeedbackRecord, Cursor()))
    assert [(record.id, record.label, record.task) for record in kept] == [(found[0], "other", "support")]
    again = start_server(home)
    assert again.feedback((found[1], "delivery")).status_code == 202
    assert len(list(read_new(home.feedback("support"), FeedbackRecord, Cursor()))) == 2


def test_sigterm_answers_what_was_accepted(
    home: Home, start_server: Callable[..., Any], release_served: Callable[..., Manifest]
) -> None:
    release_served(home)
    server = start_server(home)
    answered: list[int] = []

    def send() -> None:
        with httpx.Client(timeout=30) as client:
            for number in range(400):
                try:
                    response = client.post(
                        f"{server.url}/v1/models/support:predict", json={"instances": [f"invoice {number}"]}
                    )
                except httpx.ConnectError:
                    return  # refused: it was never accepted
                except httpx.TransportError as error:
                    # A kept-alive connection may be closed between two requests, never within an answer.
                    if "disconnected without sending" in str(error) or isinstance(error, httpx.ReadError):
                        return
                    raise
                answered.append(response.status_code)

    threads = [threading.Thread(target=send) for _ in range(4)]
    for thread in threads:
        thread.start()
    server.wait_for(lambda: len(answered) > 20, "traffic flows")
    assert server.end(signal.SIGTERM) == 0
    for thread in threads:
        thread.join()
    assert set(answered) <= {200, 503}
    records = list(read_new(home.predictions("support"), PredictionRecord, Cursor()))
    assert len(records) >= answered.count(200), "every answer that was given is in the log"


def test_sigint_before_it_is_ready_ends_it_cleanly(home: Home, start_server: Callable[..., Any]) -> None:
    server = start_server(home, until_ready=False)
    assert server.end(signal.SIGINT) == 0


def test_a_full_disk_loses_log_records_but_no_predictions_and_acknowledges_no_feedback(
    home: Home, start_server: Callable[..., Any], release_served: Callable[..., Manifest]
) -> None:
    release_served(home)
    server = start_server(home, file_kib=32)
    text = "invoice " + "please " * 300
    found = [server.predict(text).json()["predictions"][0]["id"] for _ in range(40)]
    server.wait_for(
        lambda: server.metric('perennial_log_records_dropped_total{reason="write_failed",task="support"}'), "counted"
    )
    assert server.predict(text).status_code == 200
    server.wait_for(lambda: server.get("/v1/models/support").json()["log_problem"], "shown")
    refused = server.feedback(*[(identifier, "billing") for identifier in found * 20])
    assert refused.status_code == 503
    assert refused.json()["type"] == "urn:perennial:problem:not-recorded"
    assert server.metric('perennial_feedback_total{task="support"}') == 0
    assert server.output().count("Feedback of task support cannot be written") == 1
    assert "Traceback" not in server.output(), "a full disk is no defect"
    server.wait_for(
        lambda: (
            server.metric('perennial_log_records_written_total{task="support"}')
            + server.metric('perennial_log_records_dropped_total{reason="write_failed",task="support"}')
            == len(found) + 1
        ),
        "each record is written or counted as lost",
    )
    written = server.metric('perennial_log_records_written_total{task="support"}')
    assert server.end(signal.SIGTERM) == 0
    cursor = Cursor()
    assert len(list(read_new(home.predictions("support"), PredictionRecord, cursor))) == written
    assert cursor.malformed == 0, "only whole lines are left"
    assert list(read_new(home.feedback("support"), FeedbackRecord, Cursor())) == [], "none of what was refused is kept"


def test_two_servers_share_one_home(
    home: Home, start_server: Callable[..., Any], release_served: Callable[..., Manifest]
) -> None:
    release_served(home)
    one, two = start_server(home), start_server(home)
    first = one.predict("invoice").json()["predictions"][0]["id"]
    second = two.predict("parcel").json()["predictions"][0]["id"]
    assert two.feedback((first, "other")).status_code == 202
    assert one.feedback((second, "other")).status_code == 202
    one.end(signal.SIGTERM)
    two.end(signal.SIGTERM)
    assert {record.id for record in read_new(home.predictions("support"), PredictionRecord, Cursor())} == {
        first,
        second,
    }
    assert len(list(home.predictions("support").glob("*/*/*.jsonl"))) == 2


def test_texts_are_not_logged_where_the_task_says_so(
    home: Home, start_server: Callable[..., Any], release_served: Callable[..., Manifest]
) -> None:
    release_served(home, limits=LimitSpec(log_text=False))
    server = start_server(home)
    server.predict("my secret invoice")
    assert server.end(signal.SIGTERM) == 0
    (record,) = read_new(home.predictions("support"), PredictionRecord, Cursor())
    assert record.text is None
    assert record.text_sha256 == sha256(b"my secret invoice").hexdigest()
    assert "secret" not in server.output()


def test_workers_share_the_port_and_one_that_is_killed_is_replaced(
    home: Home, start_server: Callable[..., Any], release_served: Callable[..., Manifest]
) -> None:
    release_served(home)
    server = start_server(home, environment={"PERENNIAL_WORKERS": "2"})
    parent = psutil.Process(server.process.pid)
    server.wait_for(lambda: len(parent.children()) == 2, "two workers")
    identifier = server.predict("invoice").json()["predictions"][0]["id"]
    killed = parent.children()[0]
    killed.kill()
    server.wait_for(lambda: killed not in parent.children() and len(parent.children()) == 2, "replaced")
    server.client.close()
    server.client = httpx.Client(timeout=30)
    server.wait_for(server.ready, "ready")
    assert server.feedback((identifier, "billing")).status_code == 202
    assert server.metric('perennial_release_info{release="0001",role="stable",task="support"}') == 1
    children = parent.children()
    server.end(signal.SIGKILL)
    _, alive = psutil.wait_procs(children, timeout=20)
    assert not alive, "workers leave when their parent is gone"


def test_a_worker_that_is_starting_leaves_the_answers_to_the_others(
    home: Home, start_server: Callable[..., Any], release_served: Callable[..., Manifest]
) -> None:
    tasks = ["support", *(f"task-{number}" for number in range(24))]
    for task in tasks:
        release_served(home, task)
    server = start_server(home, environment={"PERENNIAL_WORKERS": "2"})
    parent = psutil.Process(server.process.pid)
    last = f"Task {max(tasks)}: release 0001 answers from now on"
    server.wait_for(lambda: server.output().count(last) == 2, "both workers are ready")
    parent.children()[0].kill()
    found: list[int] = []
    stop = threading.Event()
    url = f"{server.url}/v1/models/{max(tasks)}:predict"

    def ask() -> None:
        while not stop.is_set():
            # A connection of its own each time, which any worker may accept.
            found.append(httpx.get(f"{server.url}/readyz", timeout=30).status_code)
            found.append(httpx.post(url, json={"instances": ["courier"]}, timeout=30).status_code)

    asking = threading.Thread(target=ask)
    asking.start()
    try:
        server.wait_for(lambda: server.output().count(last) == 3, "replaced")
        seen = len(found)
        server.wait_for(lambda: len(found) >= seen + 60, "and both are asked")
    finally:
        stop.set()
        asking.join()
    assert set(found) == {200}
