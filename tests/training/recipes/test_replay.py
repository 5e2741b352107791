"""Which old rows are learned from again."""

from __future__ import annotations

import json
import math
import shutil
from collections import Counter

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from contracts.files import sha256_file
from contracts.home import Home
from contracts.recipes import AdaptSpec
from contracts.release import FileEntry, Manifest
from contracts.release_store import verify_release
from contracts.retrain import LABELLED_FILE, REQUEST_FILE, UNLABELLED_FILE, RetrainRequest, Snapshot
from contracts.task import GateSpec, RetrainSpec
from training.data.dataset import Dataset, thaw
from training.data.rows import Row
from training.job import run
from training.recipes.replay import forgetting_risks, replay

OLD = [Row(f"old {number}", "abc"[number % 3], "old", number) for number in range(60)]
FRESH = [Row(f"fresh {number}", "abc"[number % 3], "fresh", number) for number in range(9)]


@given(share=st.floats(0, 1), seed=st.integers(0, 99), risky=st.booleans())
def test_fresh_rows_stay_and_of_each_label_a_share(share: float, seed: int, risky: bool) -> None:
    risks = {row: row.line / 100 for row in OLD} if risky else None
    kept = replay([*OLD, *FRESH], OLD, share, seed, risks)
    assert [row for row in kept if row.file == "fresh"] == FRESH
    counts = Counter(row.label for row in kept if row.file == "old")
    assert counts == dict.fromkeys("abc", max(1, math.ceil(round(20 * share, 6))))
    assert list(kept) == [row for row in [*OLD, *FRESH] if row in set(kept)]


@given(smaller=st.floats(0, 1), larger=st.floats(0, 1), seed=st.integers(0, 99))
def test_a_larger_share_holds_the_smaller_one(smaller: float, larger: float, seed: int) -> None:
    smaller, larger = sorted((smaller, larger))
    assert set(replay(OLD, OLD, smaller, seed)) <= set(replay(OLD, OLD, larger, seed))


def test_half_are_those_at_risk() -> None:
    risks = {row: row.line / 100 for row in OLD}
    kept = replay(OLD, OLD, 0.2, 5, risks)
    for label in "abc":
        own = [row for row in OLD if row.label == label]
        assert set(own[-2:]) <= set(kept)
    assert set(kept) != set(replay(OLD, OLD, 0.2, 5))


def test_a_row_of_chance_is_not_counted_twice() -> None:
    """What is at risk and drawn too makes room for another."""
    rows = OLD[:6]
    assert len(replay(rows, rows, 1.0, 1, dict.fromkeys(rows, 0.5))) == 6


def test_the_risk_is_the_margin_of_what_is_right() -> None:
    rows = [Row("sure", "a", "f", 1), Row("torn", "a", "f", 2), Row("wrong", "b", "f", 3), Row("new", "z", "f", 4)]
    logits = np.log(np.array([[0.9, 0.1], [0.55, 0.45], [0.8, 0.2], [0.5, 0.5]], dtype=np.float32))
    risks = forgetting_risks(rows, logits, ("a", "b"))
    assert list(risks) == rows[:2]
    assert risks[rows[0]] == pytest.approx(0.2)
    assert risks[rows[1]] == pytest.approx(0.9)


@pytest.mark.parametrize("choice", ["stratified", "at-risk"])
def test_a_successor_learns_from_a_share_and_hands_on_the_whole(
    trained: tuple[Home, Manifest], home: Home, choice: str
) -> None:
    """What is not replayed once may be replayed the next time: the frozen data is never thinned."""
    shutil.copytree(trained[0].root, home.root, dirs_exist_ok=True)
    champion = trained[1]
    folder = home.requests("support") / "r-20261121-0001"
    folder.mkdir(parents=True)
    fresh = [{"text": f"mera paisa {n}", "label": "billing", "time": 10.0} for n in range(40)]
    contents = {
        LABELLED_FILE: "".join(json.dumps(row) + "\n" for row in fresh),
        UNLABELLED_FILE: "".join(json.dumps({"text": f"kahan hai saman {n}"}) + "\n" for n in range(50)),
    }
    for name, content in contents.items():
        (folder / name).write_text(content)
    files = {name: FileEntry(sha256=sha256_file(folder / name), size=len(contents[name])) for name in contents}
    settings = RetrainSpec(epochs=1, replay_share=0.25, replay_choice=choice)
    adapt = AdaptSpec(source="log", epochs=1, min_texts=50)
    request = RetrainRequest(
        id=folder.name,
        task="support",
        created=1.0,
        reason="drift",
        parent=champion.version,
        spec=champion.spec.model_copy(
            update={"retrain": settings, "gate": GateSpec(max_quantization_drop=1), "adapt": adapt}
        ),
        snapshot=Snapshot(labelled_rows=40, unlabelled_rows=50, files=files),
    )
    (folder / REQUEST_FILE).write_text(request.model_dump_json(by_alias=True))
    result = run(home, folder)
    assert result.status == "published", result.detail
    successor = verify_release(home, "support", "0002")
    assert successor.spec.retrain == settings
    told = json.loads((home.release("support", "0002") / "metrics.json").read_text())
    assert told["adaptation"]["texts"] == 50
    old = thaw(home, "support", champion.lineage.data_fingerprint)
    whole = thaw(home, "support", successor.lineage.data_fingerprint)
    assert set(texts(old)) < set(texts(whole))
    assert told["learned_rows"] < len(whole.train)
    counts = Counter(row.label for row in old.train)
    replayed = sum(math.ceil(count * 0.25) for count in counts.values())
    assert told["learned_rows"] == replayed + len(whole.train) - len(old.train)


def texts(dataset: Dataset) -> list[str]:
    return [row.text for row in dataset.train]
