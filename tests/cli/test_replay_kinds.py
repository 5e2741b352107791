"""What a replay counts of each kind of answer."""

from __future__ import annotations

from typing import Any

import pytest

from cli.endpoint import label_of


@pytest.mark.parametrize(
    ("found", "label"),
    [
        ({"label": "billing", "score": 0.9}, "billing"),
        ({"label": "a+b", "labels": [{"label": "a"}, {"label": "b"}]}, "a+b"),
        ({"entities": [{"label": "way"}, {"label": "place"}, {"label": "way"}]}, "place+way"),
        ({"entities": []}, "none"),
        ({"embedding": [0.6, 0.8]}, "vector"),
    ],
)
def test_an_answer_in_one_word(found: dict[str, Any], label: str) -> None:
    assert label_of(found) == label
