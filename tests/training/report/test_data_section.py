"""The report's section on the data says what the profile says, without its texts."""

from __future__ import annotations

from training.data.profile import profile
from training.data.rows import Row
from training.data.splits import LeftOut, make_dataset
from training.report.blocks import Prose, Table
from training.report.data_section import data_section


def rows(file: str, *pairs: tuple[str, str]) -> list[Row]:
    return [Row(text, label, file, line) for line, (text, label) in enumerate(pairs, start=1)]


def test_it_tells_splits_leaks_and_mix() -> None:
    train = [(f"where is the parcel that I ordered on day {n} of this month", "ab"[n % 4 == 0]) for n in range(40)]
    dataset = make_dataset(
        rows("train", *train),
        rows("validation", ("मेरी पार्सल कहाँ है", "a")),
        rows("test", (train[0][0] + "!", "a"), ("something entirely different", "b")),
        left_out=[LeftOut("train", "in test", 2)],
    )
    section = data_section(profile(dataset))
    splits, findings, leaks = section.blocks
    assert isinstance(splits, Table)
    assert [row[0].text for row in splits.rows] == ["train", "validation", "test"]
    assert [row[1].text for row in splits.rows] == ["40", "1", "2"]
    assert isinstance(findings, Table)
    told = {row[0].text: row[1].text for row in findings.rows}
    assert told["Left out"] == "2 of train (in test)"
    assert told["Scripts"] == "Latin 97.7 %, Devanagari 2.3 %"
    assert told["Imbalance"].startswith("the commonest label has 3.0 times")
    assert isinstance(leaks, Prose)
    assert leaks.text.startswith("50.0 % of the test texts nearly stand in the training texts")
    assert "parcel" not in repr(section)
