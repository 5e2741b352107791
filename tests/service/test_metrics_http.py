"""Metrics of two workers, one of which dies on the way: what they say is what was done."""

from __future__ import annotations

import re
import socket
import time
from collections import Counter
from collections.abc import Callable
from typing import Any

import httpx
import psutil

from contracts.home import Home
from contracts.release import Manifest
from contracts.task import LimitSpec
from service.http.connections import MAX_HEAD_BYTES

SECRET = "a-secret-of-some-length"
KEY = {"x-api-key": SECRET}
TEXTS = {"billing": "invoice", "delivery": "courier please", "other": "hello " + "please " * 20}


def samples(text: str, name: str) -> dict[str, float]:
    """Samples of one metric by their labels as they are written."""
    found = re.findall(rf"^{name}(?:{{(.*)}})? (\S+)$", text, re.MULTILINE)
    return {labels: float(value) for labels, value in found}


class Asked:
    """Requests, each over a connection of its own, and what the metrics should say of them."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.codes: Counter[str] = Counter()
        self.labels: Counter[str] = Counter()
        self.found = 0

    def ask(self, method: str, path: str, route: str, task: str = "", **options: Any) -> httpx.Response:
        response = httpx.request(method, self.url + path, timeout=30, **{"headers": KEY, **options})
        self.codes[f'code="{response.status_code}",route="{route}",task="{task}"'] += 1
        return response

    def predict(self, *labels: str) -> None:
        body = {"instances": [TEXTS[label] for label in labels]}
        answer = self.ask("POST", "/v1/models/support:predict", "predict", "support", json=body)
        assert [one["label"] for one in answer.json()["predictions"]] == list(labels)
        self.labels.update(f'label="{label}",release="0001",task="support"' for label in labels)

    def no_request(self, begun: bytes, status: int, more: bytes = b"") -> None:
        """What never reaches a route."""
        url = httpx.URL(self.url)
        with socket.create_connection((url.host, url.port or 0), 30) as connection:
            connection.sendall(begun)
            time.sleep(0.05)  # bytes that come together are read together, and then no more is
            connection.sendall(more)
            assert connection.recv(100).split()[1] == str(status).encode()
        self.codes[f'code="{status}",route="",task=""'] += 1

    def mistakes(self) -> None:
        """One request of each kind that is refused."""
        predict = "/v1/models/support:predict"
        wrong: list[dict[str, Any]] = [
            {"headers": {}},
            {"headers": {"x-api-key": "not-a-key-of-anybody"}},
            {"content": b"{"},
            {"json": {"instances": []}},
            {"content": b"x" * 5000},
            {"content": b"x", "headers": {**KEY, "content-type": "text/csv"}},
            {"json": {"instances": ["invoice"]}, "headers": {**KEY, "x-request-timeout-ms": "no"}},
        ]
        statuses = [self.ask("POST", predict, "predict", "support", **options).status_code for options in wrong]
        assert statuses == [401, 401, 400, 422, 413, 415, 400]
        assert self.ask("GET", predict, "predict", "support").status_code == 405
        assert self.ask("POST", "/v1/models/nobodys:predict", "predict", json={"instances": ["a"]}).status_code == 404
        assert self.ask("GET", "/v1/nothing", "").status_code == 404
        self.no_request(b"no HTTP at all\r\n\r\n", 400)
        self.no_request(b"GET / HTTP/1.1\r\n", 431, more=b"x: ".ljust(MAX_HEAD_BYTES + 1, b"y"))
        # What is BentoML's to answer, or is refused before it is asked.
        typed = {"task": "support", "instances": [TEXTS["other"]]}
        assert self.ask("POST", "/predict", "bentoml", json=typed).status_code == 200
        self.labels['label="other",release="0001",task="support"'] += 1
        assert self.ask("POST", "/predict", "bentoml", json={**typed, "task": "nobodys"}).status_code == 404
        assert self.ask("POST", "/predict", "bentoml", json=typed, headers={}).status_code == 401
        assert self.ask("GET", "/no-such-page", "bentoml").status_code == 404


def test_what_two_workers_count_is_what_was_asked(
    home: Home, start_server: Callable[..., Any], release_served: Callable[..., Manifest]
) -> None:
    release_served(home, limits=LimitSpec(max_instances=64))
    environment = {
        "PERENNIAL_WORKERS": "2",
        "PERENNIAL_API_KEYS": f"tests:{SECRET}",
        "PERENNIAL_MAX_BODY_BYTES": "4096",
        "PERENNIAL_CACHE_ENTRIES": "16",
    }
    server = start_server(home, environment=environment)
    server.client.headers.update(KEY)
    server.wait_for(lambda: server.output().count("answers from now on") == 2, "both workers are ready")
    asked = Asked(server.url)
    for _ in range(12):
        asked.predict(*TEXTS)
    asked.mistakes()

    def written() -> bool:
        return server.metric('perennial_log_records_written_total{task="support"}') >= sum(asked.labels.values())

    server.wait_for(written, "the log is written: a killed worker takes along what it has not written")
    (first, _) = psutil.Process(server.process.pid).children()
    first.kill()
    server.wait_for(lambda: server.output().count("answers from now on") == 3, "replaced")
    for _ in range(12):
        asked.predict(*TEXTS)
    server.client.close()
    server.client = httpx.Client(timeout=30, headers=KEY)
    server.wait_for(written, "the log is written")
    records = sum(asked.labels.values())
    text = server.get("/metrics").text
    counted = {
        labels: count
        for labels, count in samples(text, "perennial_requests_total").items()
        if 'route="metrics"' not in labels and 'route="readyz"' not in labels and 'route="livez"' not in labels
    }
    assert counted == dict(asked.codes)
    assert samples(text, "perennial_predictions_total") == dict(asked.labels)
    lookups = samples(text, "perennial_cache_lookups_total")
    hits, misses = lookups['outcome="hit",task="support"'], lookups['outcome="miss",task="support"']
    assert hits + misses == records
    assert len(TEXTS) <= misses <= 3 * len(TEXTS), "each worker learns each text once"
    assert samples(text, "perennial_batch_size_sum") == {'task="support"': misses}
    runs = samples(text, "perennial_batch_size_count")['task="support"']
    tokens = samples(text, "perennial_run_tokens_total")
    own, padding = tokens['kind="text",task="support"'], tokens['kind="padding",task="support"']
    length = {label: len(one.split()) + 2 for label, one in TEXTS.items()}
    assert own % 1 == padding % 1 == 0
    assert misses * min(length.values()) <= own <= misses * max(length.values())
    assert samples(text, "perennial_batch_tokens_sum") == {'task="support"': own + padding}
    assert samples(text, "perennial_batch_tokens_count") == {'task="support"': runs}
    assert samples(text, "perennial_queue_tokens")['task="support"'] == 0
    assert samples(text, "perennial_release_info") == {'release="0001",role="stable",task="support"': 1}
    assert sum(samples(text, "perennial_log_records_dropped_total").values()) == 0
    assert samples(text, "perennial_api_keys_stale").get("", 0) == 0
    latency = samples(text, "perennial_request_seconds_bucket")
    bounds = [
        float(found.group(1))
        for labels in latency
        if (found := re.match(r'le="([\d.]+)",route="predict",task="support"', labels))
    ]
    assert len([bound for bound in bounds if 0.001 <= bound <= 0.25]) >= 15, "tight from 1 to 250 ms"
    assert latency['le="+Inf",route="predict",task="support"'] == sum(
        count for labels, count in asked.codes.items() if 'route="predict",task="support"' in labels
    )
    assert samples(text, "perennial_prediction_seconds_count") == {
        'release="0001",role="stable",task="support"': 24 + 1
    }
