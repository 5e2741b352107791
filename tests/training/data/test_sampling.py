"""Sampling evens labels out to the ratio asked for; repeating loses no text, leaving out repeats none."""

from __future__ import annotations

from collections import Counter
from typing import Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from contracts.task import DataSpec
from training.data.multilabel import multi_label_row
from training.data.rows import Row
from training.data.sampling import resample

How = Literal["oversample", "undersample"]


def spec(how: str, ratio: float = 1.0) -> DataSpec:
    return DataSpec.model_validate({"path": "a", "sampling": how, "sampling_ratio": ratio})


def rows(counts: dict[str, int]) -> list[Row]:
    return [Row(f"{label} {number}", label, "f", number) for label, count in counts.items() for number in range(count)]


@given(
    st.dictionaries(st.sampled_from("abcde"), st.integers(1, 40), min_size=1),
    st.sampled_from([1.0, 1.5, 3.0, 100.0]),
    st.integers(0, 99),
)
def test_oversampling_keeps_every_row_and_repeats_evenly(counts: dict[str, int], ratio: float, seed: int) -> None:
    given_rows = rows(counts)
    made = Counter(resample(given_rows, spec("oversample", ratio), seed))
    assert set(made) == set(given_rows)
    after = Counter(row.label for row in made.elements())
    assert max(after.values()) == max(counts.values())
    assert max(after.values()) <= ratio * min(after.values())
    for label in counts:
        repeats = [times for row, times in made.items() if row.label == label]
        assert max(repeats) - min(repeats) <= 1


@given(
    st.dictionaries(st.sampled_from("abcde"), st.integers(1, 40), min_size=1),
    st.sampled_from([1.0, 1.5, 3.0, 100.0]),
    st.integers(0, 99),
)
def test_undersampling_takes_each_row_once_at_most(counts: dict[str, int], ratio: float, seed: int) -> None:
    made = resample(rows(counts), spec("undersample", ratio), seed)
    assert len(set(made)) == len(made)
    after = Counter(row.label for row in made)
    assert min(after.values()) == min(counts.values())
    assert max(after.values()) <= ratio * min(after.values())
    assert all(after[label] == min(counts[label], int(min(counts.values()) * ratio)) for label in counts)


@pytest.mark.parametrize("how", ["oversample", "undersample"])
def test_the_order_of_rows_is_nothing_and_the_seed_is_something(how: How) -> None:
    given_rows = rows({"a": 30, "b": 7})
    first = resample(given_rows, spec(how), 1)
    assert first == resample(given_rows[::-1], spec(how), 1)
    assert Counter(first) != Counter(resample(given_rows, spec(how), 2))


def test_none_changes_nothing() -> None:
    given_rows = rows({"a": 3, "b": 1})
    assert resample(given_rows, spec("none"), 1) == given_rows


def test_a_row_of_several_labels_counts_for_the_rarest() -> None:
    made = [multi_label_row(f"t{n}", ["a"], "f", n) for n in range(8)]
    made += [multi_label_row(f"u{n}", ["a", "rare"], "f", n) for n in range(2)]
    after = Counter(row.label for row in resample(made, spec("oversample"), 1))
    assert after == {"a": 8, "a+rare": 8}
