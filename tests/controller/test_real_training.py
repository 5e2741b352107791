"""The controller with the real training job: nothing stands in for anything."""

from __future__ import annotations

import csv
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from contracts.files import write_atomic
from contracts.home import Home
from contracts.release_store import verify_release
from contracts.rollout import promote, read_rollout
from contracts.task import load_task
from contracts.verdict import latest_path
from training.pipeline import train

TASK = """
schema = 1
name = "support"
[data]
path = "data.csv"
[model]
base = "{base}"
max_tokens = 32
freeze_embeddings = false
[train]
epochs = 8
batch_size = 16
learning_rate = 3e-3
patience = 8
[gate]
max_quantization_drop = 0.1
[retrain]
min_new_labels = 120
epochs = 10
max_old_loss = 0.1
"""
FOREIGN = {"billing": "paisa", "delivery": "kahan", "other": "namaste"}


def test_a_successor_is_trained_and_promoted(
    home: Home,
    tmp_path: Path,
    tiny_base: Path,
    tiny_rows: Callable[[int, int], list[tuple[str, str]]],
    make_verdict: Any,
    write_log: Any,
    alert_body: Any,
    controller: Any,
) -> None:
    with (tmp_path / "data.csv").open("w", newline="") as file:
        csv.writer(file).writerows([("text", "label"), *dict.fromkeys(tiny_rows(500, 1))])
    (tmp_path / "support.toml").write_text(TASK.format(base=tiny_base))
    champion = train(home, load_task(tmp_path / "support.toml", {}))
    promote(home, "support", champion.version, by="test", reason="first", now=time.time() - 3600)
    for label, word in FOREIGN.items():
        write_log(
            home, rows=80, labelled=80, label=label, name=label, texts=lambda n, word=word: f"my {word} please {n} zz"
        )
    write_atomic(latest_path(home, "support"), make_verdict().model_dump_json().encode())
    controller.settings |= {"job_command": [sys.executable, "-m", "training.job"]}
    controller.start()
    request = controller.post(alert_body()).json()["decisions"][0]["request_id"]
    outcome = controller.outcome(seconds=200)
    assert outcome.action == "promote", outcome.reason
    rollout = read_rollout(home, "support")
    assert rollout is not None
    assert rollout.stable == outcome.candidate == "0002"
    assert verify_release(home, "support", "0002").lineage.request_id == request
