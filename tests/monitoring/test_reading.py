"""Records whose labels are no closed set: several labels or entities in one text."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from contracts.home import Home
from contracts.log import segment_path
from contracts.records import PredictionRecord
from monitoring.reading import Malformed, Wanted, read_rows

DAY = 1_760_000_000.0
WANTED = Wanted("names", "0001", ("none", "person", "(other labels)"), 2, others=True)


def write(home: Home, labels: list[str]) -> Path:
    folder = home.predictions("names")
    path = segment_path(folder, "w0", DAY)
    path.parent.mkdir(parents=True)
    record = PredictionRecord(
        id="a",
        time=DAY,
        task="names",
        release="0001",
        text="a text",
        length=4,
        unknown_share=0,
        fragmentation=1,
        label="none",
        score=0.5,
        logits=(0.0,),
        projection=(0.0, 0.0),
        latency_ms=1,
    )
    lines = [record.model_copy(update={"label": label, "id": f"r{n}"}) for n, label in enumerate(labels)]
    path.write_text("".join(f"{line.model_dump_json()}\n" for line in lines))
    return folder


def read(folder: Path, wanted: Wanted) -> tuple[list[int], int]:
    malformed = Malformed()
    rows = [row.label for row in read_rows(folder, {}, "2000-01-01", wanted, malformed)]
    return rows, malformed.lines


def test_labels_that_no_held_out_text_had_count_as_the_last(home: Home) -> None:
    folder = write(home, ["person", "none", "place+way", "person+way"])
    assert read(folder, WANTED) == ([1, 0, 2, 2], 0)


def test_of_a_closed_set_they_are_malformed(home: Home) -> None:
    folder = write(home, ["person", "place+way"])
    assert read(folder, replace(WANTED, others=False)) == ([1], 1)
