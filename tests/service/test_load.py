"""Many at once: everyone gets the answer to their own text; a swap, a bad release and a signal change nothing."""

from __future__ import annotations

import asyncio
import json
import os
import random
import shutil
import signal
import threading
import time
from collections.abc import Callable
from typing import Any

import httpx

from contracts.files import sha256_file, write_atomic
from contracts.home import Home
from contracts.log import Cursor, read_new
from contracts.records import PredictionRecord
from contracts.release import MANIFEST_FILE, MODEL_FILE, TOKENIZER_FILE, FileEntry, Manifest
from contracts.release_store import read_manifest
from contracts.rollout import promote, read_rollout, rollback
from service.metrics import ServiceMetrics
from service.rollout.releases import Releases

WORDS = {"billing": "invoice", "delivery": "courier", "other": "hello"}
FILLER = ("please", "the", "my", "is")


def made_text(rng: random.Random) -> tuple[str, str]:
    """A text of any length whose label is known."""
    label = rng.choice(list(WORDS))
    length = rng.choice((1, 1, 3, 8, 25, 60))
    words = [WORDS[label], *rng.choices(FILLER, k=length - 1)]
    return " ".join(words), label


async def ask(client: httpx.AsyncClient, url: str, rng: random.Random) -> tuple[int, bool, str]:
    texts, labels = zip(*[made_text(rng) for _ in range(rng.choice((1, 1, 2, 5)))], strict=True)
    response = await client.post(f"{url}/v1/models/support:predict", json={"instances": list(texts)})
    if response.status_code != 200:
        return response.status_code, False, response.text
    body = response.json()
    right = tuple(one["label"] for one in body["predictions"]) == labels
    return 200, right, body["model_version"]


def ask_many(url: str, requests: int, concurrency: int, seed: int = 1) -> list[tuple[int, bool, str]]:
    async def run() -> list[tuple[int, bool, str]]:
        limit = asyncio.Semaphore(concurrency)
        limits = httpx.Limits(max_connections=concurrency, max_keepalive_connections=concurrency)
        async with httpx.AsyncClient(timeout=30, limits=limits) as client:

            async def one(number: int) -> tuple[int, bool, str]:
                async with limit:
                    return await ask(client, url, random.Random(seed * 100_000 + number))

            return await asyncio.gather(*(one(number) for number in range(requests)))

    return asyncio.run(run())


def test_two_hundred_at_once_each_get_their_own_answer(
    home: Home, start_server: Callable[..., Any], release_served: Callable[..., Manifest]
) -> None:
    release_served(home)
    server = start_server(home)
    answers = ask_many(server.url, 200, 200)
    assert {(status, right) for status, right, _ in answers} == {(200, True)}
    assert server.metric('perennial_queue_tokens{task="support"}') == 0
    runs = server.metric('perennial_batch_size_count{task="support"}')
    texts = server.metric('perennial_batch_size_sum{task="support"}')
    assert texts > runs, "under load, texts share runs"
    assert server.end(signal.SIGTERM) == 0
    cursor = Cursor()
    records = list(read_new(home.predictions("support"), PredictionRecord, cursor))
    assert cursor.malformed == 0
    assert len(records) == texts, "every answer is in the log, and nothing else"
    assert len({record.id for record in records}) == texts
    for record in records:
        assert record.text is not None
        assert WORDS[record.label] in record.text
        assert record.length == len(record.text.split()) + 2
        assert len(record.logits) == 3
        assert len(record.projection) == 2


class Traffic:
    """Requests that go on in a thread until it is told to stop."""

    def __init__(self, url: str) -> None:
        self.answers: list[tuple[int, bool, str]] = []
        self._url = url
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run)

    def __enter__(self) -> Traffic:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()

    def _run(self) -> None:
        seed = 0
        while not self._stop.is_set():
            seed += 1
            self.answers += ask_many(self._url, 40, 8, seed)


def test_a_swap_under_load_loses_no_request(
    home: Home, start_server: Callable[..., Any], release_served: Callable[..., Manifest]
) -> None:
    release_served(home)
    server = start_server(home)
    with Traffic(server.url) as traffic:

        def wait_for_answers_of(version: str) -> None:
            seen = len(traffic.answers)
            server.wait_for(lambda: version in {found for _, _, found in traffic.answers[seen:]}, f"{version} answers")

        wait_for_answers_of("0001")
        for version in ("0002", "0003"):
            release_served(home)
            wait_for_answers_of(version)
        rollback(home, "support", by="test", reason="test", now=time.time())
        wait_for_answers_of("0002")
    assert {(status, right) for status, right, _ in traffic.answers} == {(200, True)}
    assert server.metric('perennial_release_info{release="0002",role="stable",task="support"}') == 1
    assert server.metric('perennial_release_info{release="0003",role="stable",task="support"}') == 0


def test_a_corrupt_release_is_kept_out_and_told_and_a_mended_one_is_taken(scene: Any) -> None:
    scene.serve()
    server = scene.start()
    bad = scene.publish()
    promote(scene.home, "support", bad.version, by="test", reason="test", now=time.time())
    server.wait_for(lambda: server.version() == "0002", "0002 answers")
    worse = scene.publish()
    model = scene.home.release("support", worse.version) / MODEL_FILE
    whole = model.read_bytes()
    promoted = scene.home.rollout("support").read_bytes().replace(b'"stable": "0002"', b'"stable": "0003"')
    model.write_bytes(whole[:-1] + bytes([whole[-1] ^ 1]))
    write_atomic(scene.home.rollout("support"), promoted)
    server.wait_for(lambda: server.get("/v1/models/support").json()["problem"], "told")
    shown = server.get("/v1/models/support").json()
    assert shown["version"] == "0002"
    assert shown["state"] == "degraded"
    assert "model.onnx" in shown["problem"]
    assert "rollback support" in shown["problem"]
    assert server.metric('perennial_release_load_failures_total{task="support"}') >= 1
    assert "Release 0002 goes on answering" in server.output()
    assert server.predict("invoice").json()["model_version"] == "0002"
    assert server.ready(), "an older release that answers is not an outage"
    model.write_bytes(whole)
    server.wait_for(lambda: server.version() == "0003", "the mended release is taken by itself")
    assert server.get("/v1/models/support").json()["problem"] is None


def remove_model(home: Home, task: str) -> None:
    (home.release(task, "0001") / MODEL_FILE).unlink()


def remove_release(home: Home, task: str) -> None:
    shutil.rmtree(home.release(task, "0001"))


def cut_tokenizer(home: Home, task: str) -> None:
    path = home.release(task, "0001") / TOKENIZER_FILE
    path.write_bytes(path.read_bytes()[:-100])


def cut_manifest(home: Home, task: str) -> None:
    path = home.release(task, "0001") / MANIFEST_FILE
    path.write_bytes(path.read_bytes()[:-100])


def cut_rollout(home: Home, task: str) -> None:
    home.rollout(task).write_bytes(b'{"stable": ')


def empty_rollout(home: Home, task: str) -> None:
    home.rollout(task).write_bytes(b"")


def link_rollout_to_itself(home: Home, task: str) -> None:
    home.rollout(task).unlink()
    home.rollout(task).symlink_to(home.rollout(task).name)


def replace_signed(home: Home, task: str, name: str, content: bytes) -> None:
    """With checksums that fit: what a broken publisher might make."""
    folder = home.release(task, "0001")
    (folder / name).write_bytes(content)
    manifest = read_manifest(home, task, "0001")
    entry = FileEntry(sha256=sha256_file(folder / name), size=len(content))
    changed = manifest.model_copy(update={"files": {**manifest.files, name: entry}})
    write_atomic(folder / MANIFEST_FILE, changed.model_dump_json(by_alias=True).encode())
    rollout = read_rollout(home, task)
    assert rollout is not None
    digest = sha256_file(folder / MANIFEST_FILE)
    history = tuple(change.model_copy(update={"manifest_sha256": digest}) for change in rollout.history)
    write_atomic(home.rollout(task), rollout.model_copy(update={"history": history}).model_dump_json().encode())


def swapped_labels(home: Home, task: str) -> None:
    """Well-formed, and every answer would be wrong."""
    path = home.release(task, "0001") / MANIFEST_FILE
    manifest = json.loads(path.read_bytes())
    path.write_text(json.dumps({**manifest, "labels": manifest["labels"][::-1]}))


def other_graph(home: Home, task: str) -> None:
    replace_signed(home, task, MODEL_FILE, b"no graph at all")


def panicking_tokenizer(home: Home, task: str) -> None:
    """Rust's panics are no Exception to Python."""
    found = json.loads((home.release(task, "0001") / TOKENIZER_FILE).read_bytes())
    found["normalizer"] = {"type": "Precompiled", "precompiled_charsmap": "AAAA"}
    replace_signed(home, task, TOKENIZER_FILE, json.dumps(found).encode())


DAMAGES = (
    remove_model,
    remove_release,
    cut_tokenizer,
    cut_manifest,
    swapped_labels,
    cut_rollout,
    empty_rollout,
    link_rollout_to_itself,
    other_graph,
    panicking_tokenizer,
)


def test_what_is_half_written_is_never_served_and_a_whole_release_is_taken_later(
    home: Home, start_server: Callable[..., Any], release_served: Callable[..., Manifest]
) -> None:
    tasks = {damage.__name__.replace("_", "-"): damage for damage in DAMAGES}
    for task, damage in tasks.items():
        release_served(home, task)
        damage(home, task)
    server = start_server(home, until_ready=False)
    for task in tasks:
        server.wait_for(lambda task=task: server.get(f"/v1/models/{task}").json().get("problem"), f"{task} is told")
        refused = server.predict("invoice", task=task)
        assert (refused.status_code, refused.json()["type"]) == (503, "urn:perennial:problem:task-not-served")
        assert "perennial" in refused.json()["detail"], "the remedy is a command"
    assert server.get("/readyz").status_code == 503
    assert server.get("/livez").status_code == 200
    release_served(home, "healthy")
    server.wait_for(lambda: server.version("healthy"), "bad tasks do not hold up a good one")
    for task in tasks:
        release_served(home, task)
    for task in tasks:
        server.wait_for(lambda task=task: server.version(task), f"the whole release of {task} is taken")
    assert {server.predict("invoice", task=task).status_code for task in tasks} == {200}


def test_a_rollout_that_could_not_be_read_is_read_again_without_being_written_anew(
    home: Home, release_served: Callable[..., Manifest]
) -> None:
    release_served(home)
    path = home.rollout("support")
    whole, times = path.read_bytes(), (path.stat().st_atime_ns, path.stat().st_mtime_ns)

    def replace_unseen(content: bytes) -> None:
        path.write_bytes(content)
        os.utime(path, ns=times)

    replace_unseen(b"?" * len(whole))
    releases = Releases(home, threads=1, poll_seconds=0.05, metrics=ServiceMetrics())
    releases.start()
    try:
        deadline = time.monotonic() + 20
        while not any(state.problem for state in releases.states()):
            assert time.monotonic() < deadline
            time.sleep(0.02)
        replace_unseen(whole)
        while not any(state.release for state in releases.states()):
            assert time.monotonic() < deadline, releases.states()
            time.sleep(0.02)
    finally:
        releases.stop(5)
