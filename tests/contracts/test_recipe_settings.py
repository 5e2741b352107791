"""Settings of a recipe that make no sense for a kind of task are refused, not passed over."""

from __future__ import annotations

import pytest
from pydantic import ValidationError

from contracts.task import DataSpec, TaskSpec, TrainSpec

DATA = DataSpec(path="rows.csv")


@pytest.mark.parametrize(
    ("kind", "several", "setting"),
    [
        ("classification", True, {"class_weights": "balanced"}),
        ("question-answering", False, {"class_weights": "balanced"}),
        ("similarity", False, {"focal_gamma": 2.0}),
        ("question-answering", False, {"focal_gamma": 2.0}),
        ("similarity", False, {"label_smoothing": 0.1}),
    ],
)
def test_a_setting_that_would_do_nothing_is_refused(kind: str, several: bool, setting: dict[str, object]) -> None:
    with pytest.raises(ValidationError, match=next(iter(setting))):
        TaskSpec(name="task", kind=kind, multi_label=several, data=DATA, train=TrainSpec(**setting))


@pytest.mark.parametrize("kind", ["classification", "token-classification"])
def test_where_it_does_something_it_is_taken(kind: str) -> None:
    recipe = TrainSpec(class_weights="balanced", focal_gamma=2.0, label_smoothing=0.1, lora={"rank": 4})
    spec = TaskSpec(name="task", kind=kind, data=DATA, train=recipe)
    assert TaskSpec.model_validate_json(spec.model_dump_json(by_alias=True)).train == recipe
