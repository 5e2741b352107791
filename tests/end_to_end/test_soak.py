"""A minute at 120 % of what two workers can do, one of them killed, releases tried and swapped meanwhile.

Every request comes to exactly one end: its own text's label by a release that served at that time, or a refusal that
says when to come back; only connections of the worker that was killed may be cut. PERENNIAL_TEST_SOAK_SECONDS makes it
shorter.
"""

from __future__ import annotations

import asyncio
import json
import os
import re
import signal
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import psutil
import pytest

from contracts.home import Home
from contracts.log import Cursor, read_new
from contracts.records import PredictionRecord
from contracts.release import Manifest
from contracts.rollout import end_trial, promote, try_canary

ROOT = Path(__file__).resolve().parents[2]
SECONDS = float(os.environ.get("PERENNIAL_TEST_SOAK_SECONDS", "60"))
WORDS = {"billing": "invoice", "delivery": "courier", "other": "hello"}
LABELS = list(WORDS)
BY = {"by": "test", "reason": "soak"}
CUT = -1
MIB = 2**20
ENVIRONMENT = {
    "PERENNIAL_POLL_SECONDS": "0.1",
    "PERENNIAL_THREADS": "1",
    "PERENNIAL_BATCH_TOKENS": "256",
    "PERENNIAL_QUEUE_TOKENS": "1000",
    "OMP_NUM_THREADS": "1",
    "PYTHONUNBUFFERED": "1",
}


def label_of(number: int) -> str:
    return LABELS[number % len(LABELS)]


def text_of(number: int) -> str:
    """Names its request; from a few tokens to some twenty."""
    return " ".join([WORDS[label_of(number)], f"number{number}", *["please"] * (number * 7 % 20)])


class Service:
    """`perennial serve` with two workers."""

    def __init__(self, home: Home) -> None:
        self.lines: list[str] = []
        command = [sys.executable, "-m", "cli.main", "serve", "--home", str(home.root), "--port", "0", "--workers", "2"]
        self.process = subprocess.Popen(
            command,
            cwd=ROOT,
            env={**os.environ, **ENVIRONMENT},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self) -> None:
        for line in self.process.stdout or ():
            self.lines.append(line)

    def said(self, what: str) -> int:
        return sum(what in line for line in self.lines)

    async def until(self, found: Callable[[], object], why: str) -> None:
        """The deadline only ends a test that has failed."""
        end = time.monotonic() + 120
        while not found():
            assert self.process.poll() is None, f"{why}: it ended:\n{''.join(self.lines)}"
            assert time.monotonic() < end, f"{why}: not yet:\n{''.join(self.lines[-50:])}"
            await asyncio.sleep(0.02)

    async def until_said(self, what: str, times: int) -> None:
        await self.until(lambda: self.said(what) >= times, f"{times} x {what!r}")

    @property
    def url(self) -> httpx.URL:
        found = re.search(r"at (http://\S+)", "".join(self.lines))
        assert found is not None
        return httpx.URL(found.group(1))

    def workers(self) -> list[psutil.Process]:
        return psutil.Process(self.process.pid).children()

    def metrics(self) -> dict[str, float]:
        lines = httpx.get(self.url.join("/metrics"), timeout=60).text.splitlines()
        return {name: float(value) for name, value in (line.rsplit(" ", 1) for line in lines if line[0] != "#")}

    def close(self) -> None:
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()
        self._reader.join(10)
        if self.process.stdout is not None:
            self.process.stdout.close()


@pytest.fixture
def service(home: Home, make_release: Callable[..., Manifest]) -> Iterator[Service]:
    for _ in range(3):
        make_release(home, work=300)
    promote(home, "support", "0001", **BY, now=time.time())
    running = Service(home)
    yield running
    running.close()


class Story:
    """What happens while the storm blows, and when: monotonic seconds."""

    def __init__(self, service: Service, home: Home) -> None:
        self.is_over = False
        self.served: dict[str, tuple[float, float]] = {"0001": (0.0, float("inf"))}
        self.killed_at = 0.0
        self.killed_ports: set[int] = set()
        self.survivor: psutil.Process | None = None
        self.memory_before = 0
        self.rate = 0.0  # of the storm's end, requests a second
        self.calm_from = 0  # number of the first request after it
        self._service = service
        self._home = home

    async def run(self, begun: float) -> None:
        """From the first to the last event; each comes no earlier than its share of the time."""
        await self._at(begun, 0.1)
        await self._begin("0002", lambda: try_canary(self._home, "support", "0002", 0.3, **BY, now=time.time()))
        await self._service.until_said("release 0002 answers 30 % of the callers, as the canary", 2)
        await self._at(begun, 1 / 3)
        self._kill()
        await self._service.until_said("release 0001 answers from now on", 3)
        await self._service.until_said("release 0002 answers 30 % of the callers, as the canary", 3)
        await self._at(begun, 0.5)
        promote(self._home, "support", "0002", **BY, now=time.time())
        await self._service.until_said("release 0001 is not its stable release any more", 2)
        self._end("0001")
        await self._at(begun, 0.65)
        await self._begin("0003", lambda: try_canary(self._home, "support", "0003", 0.5, **BY, now=time.time()))
        await self._service.until_said("release 0003 answers 50 % of the callers, as the canary", 2)
        await self._at(begun, 0.8)
        end_trial(self._home, "support", **BY, now=time.time())
        await self._service.until_said("release 0003 is not its canary release any more", 2)
        self._end("0003")
        await self._at(begun, 1.0)
        self.is_over = True

    async def _at(self, begun: float, share: float) -> None:
        await asyncio.sleep(max(0.0, begun + share * SECONDS - time.monotonic()))

    async def _begin(self, version: str, write: Callable[[], object]) -> None:
        self.served[version] = (time.monotonic(), float("inf"))
        write()

    def _end(self, version: str) -> None:
        # They say so an instant before they do it.
        self.served[version] = (self.served[version][0], time.monotonic() + 1.0)

    def _kill(self) -> None:
        connections = {one: len(one.net_connections("tcp")) for one in self._service.workers()}
        victim = max(connections, key=lambda one: connections[one])
        (self.survivor,) = connections.keys() - {victim}
        self.memory_before = self.survivor.memory_full_info().uss
        # Stopped first: from then on it accepts nothing, and these connections are all it has.
        victim.suspend()
        self.killed_at = time.monotonic()
        self.killed_ports = {one.raddr.port for one in victim.net_connections("tcp") if one.raddr}
        victim.kill()


async def soak(service: Service, home: Home, make_storm: Callable[..., Any]) -> tuple[Any, Story]:
    await service.until_said("release 0001 answers from now on", 2)
    story = Story(service, home)
    storm = make_storm(service.url.host, service.url.port, "/v1/models/support:predict", text_of)
    rate = 1.2 * await storm.capacity(concurrency=32, seconds=3)
    telling = asyncio.create_task(story.run(time.monotonic()))
    story.rate = await storm.blow(rate, until=lambda: story.is_over or telling.done())
    await telling
    await asyncio.wait_for(storm.calm(), 120)
    story.calm_from = len(storm.requests)
    assert await storm.capacity(concurrency=2, seconds=1) > 0
    await asyncio.wait_for(storm.calm(), 120)
    return storm, story


@pytest.mark.timeout(SECONDS + 300)
def test_overload_kills_and_swaps_leave_every_request_with_one_right_end(
    service: Service, home: Home, storm: Callable[..., Any]
) -> None:
    blown, story = asyncio.run(soak(service, home, storm))
    requests = blown.requests
    answered = {request.number: request for request in requests if request.status == 200}
    refused = [request for request in requests if request.status == 503]
    cut = {request.number: request for request in requests if request.status == CUT}
    told = f"rate {story.rate:.0f}/s: {len(answered)} answered, {len(refused)} refused, {len(cut)} cut"
    print(told)

    # Each request has one end, and a good reason for it.
    assert blown.unasked == 0
    assert len(answered) + len(refused) + len(cut) == len(requests), Counter(request.status for request in requests)
    assert refused, f"it was no storm: {told}"
    assert all(int(request.retry_after) >= 1 for request in refused)
    assert {json.loads(request.answer)["type"] for request in refused} == {"urn:perennial:problem:queue-full"}
    assert {request.port for request in cut.values()} <= story.killed_ports
    assert all(request.done >= story.killed_at for request in cut.values())
    assert {request.status for request in requests[story.calm_from :]} == {200}, "afterwards it answers as ever"

    # Each answer is right.
    bodies = {number: json.loads(request.answer) for number, request in answered.items()}
    predictions = {number: body["predictions"] for number, body in bodies.items()}
    assert {number: [one["label"] for one in found] for number, found in predictions.items()} == {
        number: [label_of(number)] for number in answered
    }
    assert {body["model_version"] for body in bodies.values()} == {"0001", "0002", "0003"}
    for number, body in bodies.items():
        since, until = story.served[body["model_version"]]
        assert answered[number].done >= since, body
        assert answered[number].sent <= until, body

    # The service is as it was: two workers that hold nothing back.
    workers = service.workers()
    assert len(workers) == 2
    assert story.survivor in workers
    for worker in workers:
        assert worker.memory_full_info().uss < story.memory_before + 64 * MIB
        assert worker.num_fds() < 100
    _check_metrics(service.metrics(), requests, len(answered), len(refused), len(cut))
    written = service.metrics()['perennial_log_records_written_total{task="support"}']
    service.process.send_signal(signal.SIGTERM)
    assert service.process.wait(60) == 0
    assert service.said("Traceback") == 0, "".join(service.lines)
    assert service.said("ended with code -9") == 1

    # The log holds each answer once, but what the killed worker had not written.
    cursor = Cursor()
    records = list(read_new(home.predictions("support"), PredictionRecord, cursor))
    assert cursor.malformed == 0
    by_id = {record.id: record for record in records}
    assert len(by_id) == len(records)
    numbers = {identifier: int(re.findall(r"number(\d+)", str(by_id[identifier].text))[0]) for identifier in by_id}
    lost = [number for number, found in predictions.items() if found[0]["id"] not in by_id]
    # Those of its connections that had made room for others just before are not among what it had at its end.
    retired = {port for port, when in blown.retired if story.killed_at - 2.0 < when <= story.killed_at}
    assert all(answered[number].port in story.killed_ports | retired for number in lost)
    assert all(story.killed_at - 2.0 < answered[number].done < story.killed_at + 1.0 for number in lost)
    assert len(lost) < story.rate, told
    for number, found in predictions.items():
        if found[0]["id"] in by_id:
            record = by_id[found[0]["id"]]
            assert (record.text, record.label) == (text_of(number), label_of(number))
            assert record.release == bodies[number]["model_version"]
    unanswered = by_id.keys() - {found[0]["id"] for found in predictions.values()}
    assert {numbers[identifier] for identifier in unanswered} <= cut.keys(), "answered, but the answer was cut off"
    assert 0 <= len(records) - written < story.rate, "counted, but what the killed worker wrote last"


def _check_metrics(metrics: dict[str, float], requests: list[Any], answered: int, refused: int, cut: int) -> None:
    """What a killed worker had counted and could not send any more is the only difference."""
    predict = 'perennial_requests_total{{code="{}",route="predict",task="support"}}'.format
    assert answered <= metrics[predict(200)] <= answered + cut
    assert refused <= metrics[predict(503)] <= refused + cut
    others = {
        name: count
        for name, count in metrics.items()
        if name.startswith("perennial_requests_total") and 'route="predict"' in name
    }
    assert others.keys() == {predict(200), predict(503)}
    assert sum(others.values()) <= len(requests)
    texts = sum(count for name, count in metrics.items() if name.startswith("perennial_predictions_total"))
    assert metrics[predict(200)] <= texts <= metrics[predict(200)] + cut
    assert metrics['perennial_queue_tokens{task="support"}'] == 0
    assert metrics['perennial_release_info{release="0002",role="stable",task="support"}'] == 1
    assert metrics['perennial_release_info{release="0001",role="stable",task="support"}'] == 0
    assert not any(count for name, count in metrics.items() if name.startswith("perennial_log_records_dropped"))
