"""Splits that are stratified, repeatable and share no text; what cannot be split is told with its lines."""

from __future__ import annotations

import csv
import random
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from contracts.errors import DataError
from contracts.task import DataSpec, TaskSpec, TrainSpec
from training.data.dataset import Dataset, load_dataset
from training.data.rows import Row
from training.data.splits import SPLITS
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

    def test_texts_that_the_service_would_refuse_are_told(self, tmp_path: Path) -> None:
        path = save(tmp_path / "a.csv", [*many("a", 5), ("x" * 41, "a"), *many("b", 5), ("y" * 40, "b")])

        def told(**limits: object) -> tuple[str, ...]:
            spec = {"name": "t", "data": {"path": path}, "limits": limits}
            return load_dataset(TaskSpec.model_validate(spec)).warnings

        assert told(max_text_chars=40) == (
            f"1 text (such as {path}, line 7) is longer than [limits] max_text_chars = 40; "
            'the service refuses such. Set it higher, or long_texts = "truncate".',
        )
        assert f"2 texts (such as {path}, line 7; {path}, line 13) are longer than" in told(max_text_chars=39)[0]
        assert told(max_text_chars=41) == ()
        assert told(max_text_chars=39, long_texts="truncate") == ()

    def test_lookalike_labels_lost_characters_imbalance_and_untested_labels_are_told(self, tmp_path: Path) -> None:
        train = save(tmp_path / "a.csv", [*many("Pay Bill", 200), *many("pay bill", 3), ("caf\ufffd", "pay bill")])
        test = save(tmp_path / "b.csv", many("Pay Bill", 5, "t"))
        validation = save(tmp_path / "c.csv", many("Pay Bill", 5, "v"))
        told = "\n".join(load(train=train, validation=validation, test=test).warnings)
        assert "'Pay Bill' and 'pay bill'" in told
        assert f"U+FFFD stands for them) in 1 text: {train}, line 205" in told
        assert "extremely imbalanced: 'Pay Bill' has 200 training rows, 'pay bill' has 4" in told
        assert "No test rows, so no measurement, for 1 label: 'pay bill'" in told

    def test_labels_that_look_like_missing_values_are_told(self, tmp_path: Path) -> None:
        rows = [*many("bread", 20), *many("nan", 20, "n"), *many("NULL", 3, "x")]
        told = "\n".join(load(path=save(tmp_path / "a.csv", rows)).warnings)
        assert "missing values: 'NULL' (3 rows), 'nan' (20 rows)" in told
        whole = load(path=save(tmp_path / "b.csv", [*many("bread", 20), *many("none", 20, "n")]))
        assert "missing values" not in "\n".join(whole.warnings)


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
