"""Which wrong answers come first, and what is told of them."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from training.data.rows import Row
from training.evaluation.mistakes import SHOWN, Mistake, count_confusions, excerpt, file_of, surest_mistakes


def told(place: int) -> Mistake:
    return Mistake("rows.csv", place, "a", "b", 0.5, None)


def test_the_surest_come_first_and_all_are_counted() -> None:
    wrong = np.arange(0, 90, 3)
    scores = np.linspace(0.2, 0.9, 30, dtype=np.float32)
    found = surest_mistakes(wrong, scores, told)
    assert found.mistakes == 30
    assert [one.line for one in found.surest] == list(range(87, 87 - 3 * SHOWN, -3))
    assert surest_mistakes(wrong[:0], scores[:0], told).surest == ()


def test_pairs_are_counted_with_their_share_of_the_true_ones() -> None:
    found = count_confusions([("a", "b"), ("b", "a"), ("a", "b"), ("a", "c")], {"a": 6, "b": 10})
    assert [(one.truth, one.predicted, one.rows, one.share) for one in found] == [
        ("a", "b", 2, 2 / 6),
        ("a", "c", 1, 1 / 6),
        ("b", "a", 1, 0.1),
    ]


@given(st.text("ab é\n", max_size=400), st.data())
def test_an_excerpt_is_short_and_marks_its_place(text: str, data: st.DataObject) -> None:
    start = data.draw(st.integers(0, len(text)))
    end = data.draw(st.integers(start, min(len(text), start + 30)))
    shown = excerpt(text, start, end)
    assert len(shown) <= 80 + 30 + 80 + 4
    assert "\n" not in shown
    if start < end:
        assert f"[{''.join(text[start:end].split())}]" in "".join(shown.split())


def test_an_excerpt_says_where_it_is_cut() -> None:
    text = f"{'x' * 200} the  parcel {'y' * 200}"
    assert excerpt(text, 206, 212) == f"…{'x' * 74} the [parcel] {'y' * 79}…"
    assert excerpt("my parcel", 3, 9) == "my [parcel]"
    assert excerpt("my parcel", 3, 3) == "my parcel"


def test_of_a_file_only_its_name_is_told() -> None:
    assert file_of(Row("x", "a", "/home/of/somebody/rows.csv", 2)) == "rows.csv"
