"""Cleaning that leaves nothing, or makes one text of two, is told before it is trained on."""

from __future__ import annotations

from contracts.cleaning import CleanSpec
from training.data.cleaned import tell_cleaned
from training.data.rows import Row

CLEAN = CleanSpec(urls="remove", case="lower")


def rows(file: str, *texts: str) -> list[Row]:
    return [Row(text, "a", file, line) for line, text in enumerate(texts, start=1)]


def test_texts_that_vanish_or_fall_together() -> None:
    splits = {
        "train": rows("train.csv", "Hello there", "https://a.b"),
        "validation": rows("validation.csv", "something else"),
        "test": rows("test.csv", "hello THERE https://x.y", "new"),
    }
    emptied, shared = tell_cleaned(splits, CLEAN)
    assert emptied == "[clean] leaves nothing of 1 text, such as train.csv, line 2."
    assert "makes training texts of the test rows" in shared
    assert "1 row, such as test.csv, line 1 (as train.csv, line 1)" in shared


def test_off_tells_nothing() -> None:
    splits = dict.fromkeys(("train", "validation", "test"), rows("a.csv", "one"))
    assert tell_cleaned(splits, CleanSpec()) == []
