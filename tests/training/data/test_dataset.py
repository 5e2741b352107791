"""Splits that are stratified, repeatable and share no text; what cannot be split is told with its lines."""

from __future__ import annotations

import csv
import random
import threading
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from contracts.errors import DataError
from contracts.home import Home
from contracts.task import DataSpec, TaskSpec, TrainSpec
from training.data.dataset import Dataset, freeze, load_dataset, thaw, with_fresh
from training.data.rows import Row
from training.data.splits import SPLITS, canonical, make_dataset
from training.data.stratify import split_stratified

Pairs = Sequence[tuple[str, str]]
SHARES = (0.70, 0.15, 0.15)


def save(path: Path, pairs: Pairs) -> str:
    with path.open("w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows([("text", "label"), *pairs])
    return str(path)


def load(seed: int = 13, **data: object) -> Dataset:
    return load_dataset(TaskSpec(name="t", data=DataSpec.model_validate(data), train=TrainSpec(seed=seed)))


def many(label: str, count: int, prefix: str = "") -> list[tuple[str, str]]:
    return [(f"{prefix}{label} {number}", label) for number in range(count)]


def texts(rows: Sequence[Row]) -> set[str]:
    return {row.text for row in rows}


def content(rows: Sequence[Row]) -> list[tuple[str, str]]:
    return [(row.text, row.label) for row in rows]


def as_rows(pairs: Pairs) -> list[Row]:
    return [Row(text, label, "made.csv", line) for line, (text, label) in enumerate(pairs, start=2)]


class TestSplitting:
    def test_seventy_fifteen_fifteen_of_each_label(self, tmp_path: Path) -> None:
        dataset = load(path=save(tmp_path / "a.csv", many("a", 60) + many("b", 20) + many("c", 3)))
        counts = [Counter(row.label for row in rows) for rows in (dataset.train, dataset.validation, dataset.test)]
        assert [count["a"] for count in counts] == [42, 9, 9]
        assert [count["b"] for count in counts] == [14, 3, 3]
        assert [count["c"] for count in counts] == [1, 1, 1]
        assert dataset.labels == ("a", "b", "c")
        assert dataset.warnings == ()

    def test_the_order_of_lines_does_not_matter_and_the_seed_does(self, tmp_path: Path) -> None:
        pairs = many("a", 50) + many("b", 30)
        first = load(path=save(tmp_path / "a.csv", pairs))
        random.Random(4).shuffle(pairs)
        again = load(path=save(tmp_path / "b.csv", pairs))
        other = load(path=save(tmp_path / "b.csv", pairs), seed=14)
        assert content(first.train) == content(again.train)
        assert first.fingerprint == again.fingerprint
        assert other.fingerprint != first.fingerprint
        assert texts(other.test) != texts(first.test)

    @pytest.mark.parametrize(
        ("given_splits", "expected"),
        [
            ({}, (70, 15, 15)),
            ({"test": 40}, (82, 18, 40)),
            ({"validation": 30}, (82, 30, 18)),
            ({"validation": 30, "test": 40}, (100, 30, 40)),
        ],
    )
    def test_what_is_not_given_is_split_off_from_train(
        self, tmp_path: Path, given_splits: dict[str, int], expected: tuple[int, int, int]
    ) -> None:
        data = {"train": save(tmp_path / "train.csv", many("a", 50) + many("b", 50))}
        for name, count in given_splits.items():
            half = count // 2
            data[name] = save(tmp_path / f"{name}.csv", many("a", half, name) + many("b", half, name))
        dataset = load(**data)
        found = (len(dataset.train), len(dataset.validation), len(dataset.test))
        assert found == expected
        for name in given_splits:
            assert all(text.startswith(name) for text in texts(getattr(dataset, name)))

    @given(
        st.dictionaries(st.sampled_from("abcdefg"), st.integers(3, 60), min_size=1),
        st.integers(0, 2**32 - 1),
        st.sampled_from([SHARES, (0.5, 0.25, 0.25), (0.8, 0.1, 0.1), (0.6, 0.3, 0.1)]),
    )
    @settings(deadline=None)
    def test_parts_keep_their_shares_in_each_label_and_as_a_whole(
        self, counts: dict[str, int], seed: int, shares: tuple[float, float, float]
    ) -> None:
        rows = as_rows([pair for label, count in counts.items() for pair in many(label, count)])
        parts = split_stratified(rows, shares, seed, each=True)
        assert sorted(row.line for part in parts for row in part) == [row.line for row in rows]
        lifted = 0
        for part, share in zip(parts, shares, strict=True):
            found = Counter(row.label for row in part)
            for label, count in counts.items():
                assert found[label] >= 1
                # A part that would be empty takes one from the largest, so that one may give two away.
                assert abs(found[label] - count * share) < (1 if min(count * s for s in shares) >= 1 else 3)
                lifted += count * share < 1
        if not lifted:
            for part, share in zip(parts, shares, strict=True):
                assert abs(len(part) - len(rows) * share) < len(shares)

    @given(
        st.lists(st.tuples(st.sampled_from([f"text {i}" for i in range(25)]), st.sampled_from("abc")), max_size=80),
        st.randoms(use_true_random=False),
        st.booleans(),
    )
    @settings(deadline=None)
    def test_a_text_is_never_in_two_parts_and_order_is_nothing(
        self, pairs: list[tuple[str, str]], shuffler: random.Random, each: bool
    ) -> None:
        pairs = list(dict.fromkeys(pairs))
        parts = split_stratified(as_rows(pairs), SHARES, 13, each=each)
        assert sum(map(len, parts)) == len(pairs)
        assert sum(len(texts(part)) for part in parts) == len({text for text, _ in pairs})
        shuffler.shuffle(pairs)
        again = split_stratified(as_rows(pairs), SHARES, 13, each=each)
        assert [set(content(part)) for part in again] == [set(content(part)) for part in parts]


class TestCleaning:
    def test_whitespace_around_is_stripped_and_nothing_else_changed(self, tmp_path: Path) -> None:
        odd = "  Ｆull  width\tcafe\u0301 \n"
        dataset = load(path=save(tmp_path / "a.csv", [*many("a", 5), *many("b", 5), (odd, " b ")]))
        every = [*dataset.train, *dataset.validation, *dataset.test]
        assert ("Ｆull  width\tcafe\u0301", "b") in content(every)

    def test_ignored_labels_are_left_out_and_misspelt_ones_told(self, tmp_path: Path) -> None:
        path = save(tmp_path / "a.csv", many("a", 5) + many("b", 5) + many("spam", 2))
        dataset = load(path=path, ignore_labels=("spam", "spann"))
        assert dataset.labels == ("a", "b")
        assert [w for w in dataset.warnings if "ignore_labels" in w] == [
            "ignore_labels names 'spann', which no row has (did you mean 'spam'?)."
        ]

    def test_exact_duplicates_count_once_before_the_split(self, tmp_path: Path) -> None:
        path = save(tmp_path / "a.csv", [*many("a", 5), *many("b", 5), ("a 0 ", "a"), ("a 1", "a"), ("A 1", "a")])
        dataset = load(path=path)
        assert len(dataset.train) + len(dataset.validation) + len(dataset.test) == 11
        (warning,) = dataset.warnings
        assert "2 rows" in warning
        assert f"{path}, line 12 (as line 2)" in warning

    def test_train_rows_that_test_has_too_are_removed_from_train_alone(self, tmp_path: Path) -> None:
        train = save(tmp_path / "train.csv", [*many("a", 9), *many("b", 9), ("seen", "a"), ("known", "b")])
        validation = save(tmp_path / "validation.csv", [*many("a", 2, "v"), *many("b", 2, "v"), ("known", "b")])
        test = save(tmp_path / "test.csv", [*many("a", 3, "t"), *many("b", 3, "t"), ("seen", "b"), ("seen", "b")])
        dataset = load(train=train, validation=validation, test=test)
        assert (len(dataset.train), len(dataset.validation), len(dataset.test)) == (18, 5, 8)
        told = "\n".join(dataset.warnings)
        assert f"In the test rows too, so removed from the train rows: 1 row, such as {train}, line 20" in told
        assert f"(as {validation}, line 6)" in told
        assert f"left in the test rows: 1 row, such as {test}, line 9 (as line 8)" in told
        assert f"'seen': 'a' in {train}, line 20, 'b' in {test}, line 8" in told

    def test_the_same_file_twice_is_refused(self, tmp_path: Path) -> None:
        path = save(tmp_path / "a.csv", many("a", 9) + many("b", 9))
        with pytest.raises(DataError, match="every text of the train rows is in the test rows too"):
            load(train=path, test=path)

    def test_one_text_with_two_labels_is_told_with_its_lines(self, tmp_path: Path) -> None:
        path = save(tmp_path / "a.csv", [*many("a", 5), *many("b", 5), ("either", "a"), ("either", "b")])
        dataset = load(path=path)
        (warning,) = dataset.warnings
        assert f"'either': 'a' in {path}, line 12, 'b' in {path}, line 13" in warning
        assert sum("either" in texts(getattr(dataset, name)) for name in SPLITS) == 1

    def test_lookalike_labels_lost_characters_imbalance_and_untested_labels_are_told(self, tmp_path: Path) -> None:
        train = save(tmp_path / "a.csv", [*many("Pay Bill", 200), *many("pay bill", 3), ("caf\ufffd", "pay bill")])
        test = save(tmp_path / "b.csv", many("Pay Bill", 5, "t"))
        validation = save(tmp_path / "c.csv", many("Pay Bill", 5, "v"))
        told = "\n".join(load(train=train, validation=validation, test=test).warnings)
        assert "'Pay Bill' and 'pay bill'" in told
        assert f"U+FFFD stands for them) in 1 text: {train}, line 205" in told
        assert "extremely imbalanced: 'Pay Bill' has 200 training rows, 'pay bill' has 4" in told
        assert "No test rows, so no measurement, for 1 label: 'pay bill'" in told


class TestRefusals:
    def test_one_class_only(self, tmp_path: Path) -> None:
        path = save(tmp_path / "a.csv", many("a", 30))
        with pytest.raises(DataError, match="at least two labels") as caught:
            load(path=path)
        assert caught.value.path == path

    def test_a_label_with_two_rows_names_both_lines(self, tmp_path: Path) -> None:
        path = save(tmp_path / "a.csv", [*many("a", 30), *many("b", 30), ("x", "rare"), ("y", "rare")])
        with pytest.raises(DataError) as caught:
            load(path=path)
        assert caught.value.line == 62
        assert "'rare' has 2 (line 62, line 63)" in str(caught.value)
        assert "ignore_labels" in str(caught.value)

    def test_two_texts_three_times_are_two(self, tmp_path: Path) -> None:
        path = save(tmp_path / "a.csv", [*many("a", 9), *(("x", "rare"), ("y", "rare")) * 3])
        with pytest.raises(DataError, match="'rare' has 2"):
            load(path=path)

    def test_two_rows_are_enough_where_only_two_splits_are_made(self, tmp_path: Path) -> None:
        train = save(tmp_path / "a.csv", many("a", 9) + many("b", 2))
        dataset = load(train=train, test=save(tmp_path / "b.csv", many("a", 3, "t") + many("b", 3, "t")))
        assert {row.label for row in dataset.train} == {row.label for row in dataset.validation} == {"a", "b"}

    def test_labels_that_train_lacks(self, tmp_path: Path) -> None:
        train = save(tmp_path / "a.csv", many("a", 9) + many("b", 9))
        test = save(tmp_path / "b.csv", many("a", 3, "t") + many("c", 3, "t"))
        with pytest.raises(DataError, match="no training rows for 1 label of the test rows: 'c'") as caught:
            load(train=train, test=test)
        assert (caught.value.path, caught.value.line) == (test, 5)

    def test_texts_in_the_label_column(self, tmp_path: Path) -> None:
        path = save(tmp_path / "a.csv", [(f"label {i % 5}", f"text {i}") for i in range(1200)])
        with pytest.raises(DataError, match="found 1200") as caught:
            load(path=path)
        assert "are not exchanged" in str(caught.value)

    def test_everything_ignored(self, tmp_path: Path) -> None:
        with pytest.raises(DataError, match="ignore_labels"):
            load(path=save(tmp_path / "a.csv", many("a", 9)), ignore_labels=("a",))


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


class TestFresh:
    @pytest.fixture
    def old(self) -> Dataset:
        return make_dataset(
            as_rows(many("a", 40) + many("b", 40)),
            as_rows(many("a", 8, "v") + many("b", 8, "v")),
            as_rows(many("a", 9, "t") + many("b", 9, "t")),
        )

    def test_shares(self, old: Dataset) -> None:
        fresh = as_rows(many("a", 60, "f") + many("b", 40, "f"))
        split = with_fresh(old, fresh, holdout_share=0.3, seed=13)
        assert Counter(row.label for row in split.holdout) == {"a": 18, "b": 12}
        assert len(split.dataset.train) == len(old.train) + 56
        assert len(split.dataset.validation) == len(old.validation) + 14
        assert split.dataset.test == old.test
        assert split.dataset.fingerprint != old.fingerprint
        assert split.dataset.warnings == ()

    def test_known_texts_do_not_stand_in_the_holdout(self, old: Dataset) -> None:
        pairs = [*many("a", 20, "f"), *many("b", 20, "f"), ("fa 1", "a"), (" ta 1", "a"), ("a 1", "a"), ("va 2", "a")]
        split = with_fresh(old, as_rows(pairs), holdout_share=0.5, seed=13)
        assert len(split.holdout) == 20
        assert [warning.split(":")[0] for warning in split.dataset.warnings] == [
            "Stand twice, so left out",
            "In the old test rows, so left out",
            "Known from the old data, so left out",
        ]
        assert "2 rows" in split.dataset.warnings[2]

    def test_a_fresh_label_is_newer_than_the_old_one(self, old: Dataset) -> None:
        pairs = [*many("a", 20, "f"), *many("b", 20, "f"), ("a 1", "b"), ("va 2", "b")]
        split = with_fresh(old, as_rows(pairs), holdout_share=0.5, seed=13)
        every = content([*split.dataset.train, *split.dataset.validation, *split.holdout])
        assert ("a 1", "a") not in every
        assert ("va 2", "a") not in every
        assert every.count(("a 1", "b")) == every.count(("va 2", "b")) == 1
        assert "Relabelled by fresh rows" in split.dataset.warnings[-1]

    def test_unknown_labels_are_named(self, old: Dataset) -> None:
        with pytest.raises(DataError, match="found 'refund' in 1 fresh row") as caught:
            with_fresh(old, as_rows([("x", "a"), ("y", "refund")]), holdout_share=0.3, seed=13)
        assert caught.value.line == 3

    @pytest.mark.parametrize("pairs", [[], [("x", "a")], [("ta 1", "a"), ("a 1", "a"), ("x", "a"), ("x", "a")]])
    def test_too_little_to_train_and_compare(self, old: Dataset, pairs: Pairs) -> None:
        with pytest.raises(DataError, match=r"retrain\.min_new_labels"):
            with_fresh(old, as_rows(pairs), holdout_share=0.3, seed=13)

    def test_feedback_that_contradicts_a_whole_label(self) -> None:
        old = make_dataset(
            as_rows([*many("a", 2), *many("b", 9)]), as_rows(many("b", 2, "v")), as_rows(many("b", 2, "t"))
        )
        pairs = [(text, "b") for text, _ in many("a", 2)] + many("b", 10, "f")
        with pytest.raises(DataError, match="contradict every training row of 'a'"):
            with_fresh(old, as_rows(pairs), holdout_share=0.3, seed=13)

    @given(
        st.lists(st.tuples(st.integers(0, 30), st.sampled_from("ab")), min_size=12, max_size=60),
        st.floats(0.1, 0.9),
        st.integers(0, 99),
    )
    @settings(deadline=None)
    def test_nothing_that_is_compared_on_was_trained_on(
        self, fresh: list[tuple[int, str]], share: float, seed: int
    ) -> None:
        old = make_dataset(
            as_rows([(f"text {i}", "ab"[i % 2]) for i in range(10)] + [("only a", "a"), ("only b", "b")]),
            as_rows([("text 10", "a"), ("text 11", "b")]),
            as_rows([("text 12", "a"), ("text 13", "b")]),
        )
        rows = as_rows([(f"text {number}", label) for number, label in fresh])
        try:
            split = with_fresh(old, rows, holdout_share=share, seed=seed)
        except DataError:
            usable = {n for n, label in fresh if n not in (12, 13) and (n >= 12 or label != "ab"[n % 2])}
            assert len(usable) < 12
            return
        train, validation, test, holdout = (
            texts(rows) for rows in (split.dataset.train, split.dataset.validation, split.dataset.test, split.holdout)
        )
        assert holdout
        assert not (train | validation | test) & holdout
        assert not (train | validation) & test
        assert not train & validation
        assert split.dataset.test == old.test
        assert set(content(split.holdout)) <= set(content(rows))
        again = with_fresh(old, rows[::-1], holdout_share=share, seed=seed)
        assert again.dataset.fingerprint == split.dataset.fingerprint
        assert content(again.holdout) == content(split.holdout)
        assert split.holdout == canonical(split.holdout)
