"""The product: data in, a model served, drift seen, a successor trained, checked and rolled out. Nothing is mocked."""

from __future__ import annotations

import csv
import json
import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import httpx
import pytest

from contracts.home import Home
from contracts.log import Cursor, read_new
from contracts.records import FeedbackRecord, PredictionRecord
from contracts.release_store import list_versions, read_manifest, verify_release
from contracts.rollout import read_rollout
from contracts.verdict import Verdict, read_latest
from demo.programs import Perennial, free_ports

HINGLISH = {
    "billing": ("paisa", "bhugtan", "rupaye", "vapas"),
    "delivery": ("saman", "kab", "pahuncha", "dera"),
    "other": ("namaste", "shukriya", "sawal", "samay"),
}
FILLER = ("mera", "nahi", "aaya", "hai", "abhi", "tak", "kya", "karo", "ji", "bhai")

TASK = """
schema = 1
name = "support"

[data]
path = "data.csv"

[model]
base = "{base}"
max_tokens = 48
freeze_embeddings = false

[train]
epochs = 12
batch_size = 16
learning_rate = 3e-3
patience = 12

[gate]
min_accuracy = 0.8
max_quantization_drop = 0.1

[monitor]
window = 120
min_window = 60
required_run = 2

[retrain]
min_new_labels = 120
min_accuracy_drop = 0.05
cooldown_minutes = 0
epochs = 12
max_old_loss = 0.05
"""


def shifted(rows: int, seed: int) -> list[tuple[str, str]]:
    """Texts of another language, with words of their own for each label."""
    rng = random.Random(seed)
    made = []
    for index in range(rows):
        label = list(HINGLISH)[index % len(HINGLISH)]
        words = [rng.choice(FILLER) for _ in range(rng.randint(2, 8))]
        words.insert(rng.randint(0, len(words)), rng.choice(HINGLISH[label]))
        made.append((" ".join(words), label))
    rng.shuffle(made)
    return made


def write_csv(path: Path, rows: list[tuple[str, str]]) -> Path:
    with path.open("w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows([("text", "label"), *rows])
    return path


@pytest.fixture
def trained(
    tmp_path: Path, home: Home, tiny_base: Path, tiny_rows: Callable[[int, int], list[tuple[str, str]]]
) -> Home:
    """A home with release 0001 of the task, trained by the real command."""
    folder = tmp_path / "task"
    folder.mkdir()
    write_csv(folder / "data.csv", list(dict.fromkeys(tiny_rows(700, 1))))
    (folder / "support.toml").write_text(TASK.format(base=tiny_base))
    done = perennial("train", str(folder / "support.toml"), "--home", str(home.root), "--json")
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["version"] == "0001"
    return home


def perennial(*words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "cli.main", *words], capture_output=True, text=True, check=False, timeout=240
    )


def decisions(home: Home) -> list[dict[str, object]]:
    path = home.controller() / "decisions.jsonl"
    return [json.loads(line) for line in path.read_text().splitlines()] if path.is_file() else []


def test_drift_is_seen_and_the_successor_wins_back_the_accuracy(
    trained: Home, tmp_path: Path, tiny_rows: Callable[[int, int], list[tuple[str, str]]]
) -> None:
    program = Perennial(trained, *free_ports(3))
    normal = write_csv(tmp_path / "normal.csv", tiny_rows(240, 2))
    foreign = write_csv(tmp_path / "foreign.csv", shifted(480, 3))
    later = write_csv(tmp_path / "later.csv", shifted(240, 4))
    with program.up():
        before = program.replay(normal, feedback=0.5)
        calm = program.wait("a first verdict", lambda: _judged(trained, "0001"), seconds=60)
        assert calm.verdict == "ok", calm
        hurt = program.replay(foreign, feedback=0.8)
        assert hurt < before - 0.2
        program.wait("the drift", lambda: _judged(trained, "0001", word="drift"), seconds=60)
        program.wait("the swap", lambda: program.served_version() == "0002", seconds=200)
        after = program.replay(later, feedback=0.0)
    assert after > hurt + 0.2
    assert program.refused == 0
    actions = [found["action"] for found in decisions(trained)]
    assert actions.count("retrain") == 1
    assert actions.count("promote") == 1
    successor = verify_release(trained, "support", "0002")
    assert successor.lineage.parent == "0001"
    assert successor.comparison is not None
    assert successor.comparison.fresh.candidate_accuracy > successor.comparison.fresh.champion_accuracy
    rollout = read_rollout(trained, "support")
    assert rollout is not None
    assert rollout.stable == "0002"
    back = perennial("releases", "rollback", "support", "--home", str(trained.root))
    assert back.returncode == 0, back.stderr
    rollout = read_rollout(trained, "support")
    assert rollout is not None
    assert rollout.stable == "0001"


def test_killed_programs_carry_on_and_lose_no_acknowledged_feedback(
    trained: Home, tiny_rows: Callable[[int, int], list[tuple[str, str]]]
) -> None:
    """Each of the three is killed with SIGKILL, over and over, while the whole loop runs."""
    program = Perennial(trained, *free_ports(3))
    acknowledged: dict[str, str] = {}
    with program.up():
        deadline = time.monotonic() + 200
        rows = iter([*tiny_rows(120, 5), *shifted(6000, 6)])
        victims = iter(["service", "monitor", "controller", "job", "service", "controller", "job", "monitor"])
        next_kill = time.monotonic() + 3
        while program.served_version() != "0002":
            assert time.monotonic() < deadline, (decisions(trained), read_latest(trained, "support"))
            for _ in range(20):
                _predict_with_feedback(program.url, next(rows), acknowledged)
            if time.monotonic() > next_kill:
                _kill(next(victims, None), trained)
                next_kill = time.monotonic() + 3
            time.sleep(0.05)
    stored = {record.id: record.label for record in read_new(trained.feedback("support"), FeedbackRecord, Cursor())}
    missing = [identity for identity, label in acknowledged.items() if stored.get(identity) != label]
    assert not missing, f"{len(missing)} of {len(acknowledged)} acknowledged labels are gone"
    assert len(acknowledged) > 100
    cursor = Cursor()
    assert sum(1 for _ in read_new(trained.predictions("support"), PredictionRecord, cursor)) > 100
    assert cursor.malformed == 0
    for version in list_versions(trained, "support"):
        verify_release(trained, "support", version)
    assert [found["action"] for found in decisions(trained)].count("promote") == 1
    assert read_manifest(trained, "support", "0002").lineage.parent == "0001"


def _judged(home: Home, release: str, *, word: str | None = None) -> Verdict | None:
    """The latest verdict on a whole window of this release; one that is still filling is `insufficient`."""
    verdict = read_latest(home, "support")
    if verdict is None or verdict.release != release or verdict.verdict == "insufficient":
        return None
    return verdict if word in (None, verdict.verdict) else None


def _predict_with_feedback(url: str, row: tuple[str, str], acknowledged: dict[str, str]) -> None:
    """A client that meets a killed service just goes on; only what was acknowledged counts."""
    try:
        answer = httpx.post(f"{url}/v1/models/support:predict", json={"instances": [row[0]]}, timeout=10)
        if answer.status_code != 200:
            return
        identity = answer.json()["predictions"][0]["id"]
        body = {"items": [{"id": identity, "label": row[1]}]}
        if httpx.post(f"{url}/v1/models/support:feedback", json=body, timeout=10).status_code == 202:
            acknowledged[identity] = row[1]
    except httpx.HTTPError:
        time.sleep(0.05)


def _kill(victim: str | None, home: Home) -> None:
    words = {"service": "serve", "monitor": "monitor", "controller": "controller"}
    for folder in Path("/proc").iterdir():
        if not folder.name.isdigit():
            continue
        try:
            command = (folder / "cmdline").read_bytes().decode(errors="replace").split("\0")
        except OSError:
            continue
        ours = str(home.root) in command
        is_victim = "training.job" in command if victim == "job" else words.get(victim or "") in command[:5]
        if ours and is_victim and int(folder.name) != os.getpid():
            os.kill(int(folder.name), signal.SIGKILL)
