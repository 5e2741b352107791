"""Fresh labels join the old data: the newer truth, and nothing that is compared on was trained on."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from contracts.errors import DataError
from training.data.dataset import Dataset, with_fresh
from training.data.rows import Row
from training.data.splits import canonical, make_dataset

Pairs = Sequence[tuple[str, str]]


def many(label: str, count: int, prefix: str = "") -> list[tuple[str, str]]:
    return [(f"{prefix}{label} {number}", label) for number in range(count)]


def texts(rows: Sequence[Row]) -> set[str]:
    return {row.text for row in rows}


def content(rows: Sequence[Row]) -> list[tuple[str, str]]:
    return [(row.text, row.label) for row in rows]


def as_rows(pairs: Pairs) -> list[Row]:
    return [Row(text, label, "made.csv", line) for line, (text, label) in enumerate(pairs, start=2)]


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
