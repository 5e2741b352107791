"""Data sets that are frozen thaw to the same, whole or not at all."""

from __future__ import annotations

import csv
import random
import threading
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from contracts.errors import DataError
from contracts.home import Home
from contracts.task import DataSpec, TaskSpec, TrainSpec
from training.data.dataset import Dataset, freeze, load_dataset, thaw
from training.data.rows import Row
from training.data.splits import SPLITS, make_dataset

Pairs = Sequence[tuple[str, str]]


def save(path: Path, pairs: Pairs) -> str:
    with path.open("w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows([("text", "label"), *pairs])
    return str(path)


def load(seed: int = 13, **data: object) -> Dataset:
    return load_dataset(TaskSpec(name="t", data=DataSpec.model_validate(data), train=TrainSpec(seed=seed)))


def many(label: str, count: int, prefix: str = "") -> list[tuple[str, str]]:
    return [(f"{prefix}{label} {number}", label) for number in range(count)]


def content(rows: Sequence[Row]) -> list[tuple[str, str]]:
    return [(row.text, row.label) for row in rows]


def as_rows(pairs: Pairs) -> list[Row]:
    return [Row(text, label, "made.csv", line) for line, (text, label) in enumerate(pairs, start=2)]


class TestFreezing:
    @pytest.fixture
    def dataset(self, tmp_path: Path) -> Dataset:
        pairs = [*many("a", 20), *many("b", 20), ('über\u2028\n"quoted" \\ 😀', "ü,\t"), ("1", "ü,\t"), ("2", "ü,\t")]
        pairs = [(text, label.strip()) for text, label in pairs]
        return load(path=save(tmp_path / "a.csv", pairs))

    def test_thaws_to_the_same(self, home: Home, dataset: Dataset) -> None:
        folder = freeze(home, "t", dataset)
        assert folder == home.dataset("t", dataset.fingerprint)
        thawed = thaw(home, "t", dataset.fingerprint)
        assert thawed.labels == dataset.labels
        assert thawed.fingerprint == dataset.fingerprint
        for name in SPLITS:
            assert content(getattr(thawed, name)) == content(getattr(dataset, name))
        assert (thawed.train[1].file, thawed.train[1].line) == (str(folder / "train.jsonl"), 2)
        assert make_dataset(thawed.train, thawed.validation, thawed.test).fingerprint == dataset.fingerprint

    def test_twice_is_once(self, home: Home, dataset: Dataset) -> None:
        folder = freeze(home, "t", dataset)
        before = {path: path.stat().st_mtime_ns for path in folder.iterdir()}
        assert len(before) == 3
        freeze(home, "t", dataset)
        assert {path: path.stat().st_mtime_ns for path in folder.iterdir()} == before

    def test_missing(self, home: Home) -> None:
        with pytest.raises(DataError, match="found none"):
            thaw(home, "t", "0" * 64)

    @pytest.mark.parametrize("name", SPLITS)
    def test_damaged_is_told_and_mended(self, home: Home, dataset: Dataset, name: str) -> None:
        damages: list[Callable[[Path], object]] = [
            Path.unlink,
            lambda path: path.write_bytes(path.read_bytes()[:-1]),
            lambda path: path.write_bytes(path.read_bytes().replace(b"a", b"b", 1)),
            lambda path: path.write_bytes(b"\xff"),
        ]
        for damage in damages:
            damage(freeze(home, "t", dataset) / f"{name}.jsonl")
            with pytest.raises(DataError, match="damaged"):
                thaw(home, "t", dataset.fingerprint)
            freeze(home, "t", dataset)
            assert thaw(home, "t", dataset.fingerprint).fingerprint == dataset.fingerprint

    def test_what_a_killed_process_left_is_removed(self, home: Home, dataset: Dataset) -> None:
        left = home.dataset("t", dataset.fingerprint).with_name(".staging-0123456789ab")
        left.mkdir(parents=True)
        (left / "train.jsonl").write_text("{}\n")
        folder = freeze(home, "t", dataset)
        assert [path for path in folder.parent.iterdir() if path.is_dir()] == [folder]

    def test_many_at_once(self, home: Home, dataset: Dataset) -> None:
        folders: list[Path] = []
        threads = [threading.Thread(target=lambda: folders.append(freeze(home, "t", dataset))) for _ in range(6)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert len(folders) == 6
        assert thaw(home, "t", dataset.fingerprint).fingerprint == dataset.fingerprint

    @given(
        st.lists(st.tuples(st.text(min_size=1), st.sampled_from("ab")), min_size=2, unique=True),
        st.randoms(use_true_random=False),
    )
    @settings(deadline=None)
    def test_the_fingerprint_is_of_content_and_not_of_order(
        self, pairs: list[tuple[str, str]], shuffler: random.Random
    ) -> None:
        pairs = [(text.encode("utf-8", "replace").decode(), label) for text, label in pairs]
        base = make_dataset(as_rows(pairs), as_rows(pairs[:1]), as_rows(pairs[:1]))
        changed = make_dataset(as_rows(pairs[1:]), as_rows(pairs[:1]), as_rows(pairs[:1]))
        swapped = make_dataset(as_rows(pairs[:1]), as_rows(pairs), as_rows(pairs[:1]))
        shuffler.shuffle(pairs)
        again = make_dataset(as_rows(pairs), base.validation, base.test)
        assert again.fingerprint == base.fingerprint
        assert content(again.train) == content(base.train)
        assert len({base.fingerprint, changed.fingerprint, swapped.fingerprint}) == 3
