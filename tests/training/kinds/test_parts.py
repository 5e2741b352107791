"""Where a model is right less often, told for kinds that are not analysed text by text."""

from __future__ import annotations

import json

import numpy as np

from training.data.rows import Row
from training.kinds.parts import parts_of
from training.report.blocks import Prose


def test_a_part_that_falls_behind_is_warned_of_and_shown() -> None:
    shops = ["north", "south"] * 60
    rows = [
        Row(f"where is parcel {place}", "x", "rows.csv", place + 2, extra=(("shop", shop),))
        for place, shop in enumerate(shops)
    ]
    right = np.array([shop == "north" or place % 4 == 1 for place, shop in enumerate(shops)])
    found = parts_of(rows, np.full(120, 6), right, most=32, means="A text is right when it is.")
    (warning,) = found.warnings
    assert warning.startswith("Texts whose shop is 'south' fall behind: 50.0 % of 60 are right")
    assert json.loads(json.dumps(found.details))["warnings"] == [warning]
    (section,) = found.sections
    assert section.title == "Parts of the data"
    assert section.blocks[-1] == Prose("A text is right when it is.", "soft")


def test_rows_that_differ_in_nothing_have_no_parts() -> None:
    rows = [Row("the same words", "x", "rows.csv", place) for place in range(50)]
    found = parts_of(rows, np.full(50, 5), np.ones(50, dtype=np.bool_), most=32, means="Right.")
    assert found.sections == found.warnings == ()
