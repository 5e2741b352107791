"""What could only fail, or would do nothing, is refused before any time is spent."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from contracts.errors import TrainingError
from contracts.recipes import ContrastiveSpec
from contracts.task import DataSpec, GateSpec, PruneSpec, TaskSpec, TrainSpec
from training.feasibility import check_feasible
from training.kinds.kinds import kind_of

Make = Callable[..., TaskSpec]
KINDS = ("classification", "token-classification", "question-answering", "similarity")


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"data": DataSpec(path="rows.csv", pairs="matching")}, "`pairs`"),
        ({"data": DataSpec(path="rows.csv", label_separator=";")}, "`label_separator`"),
        ({"data": DataSpec(path="rows.csv", tag_scheme="iob1")}, "`tag_scheme`"),
        ({"data": DataSpec(path="rows.csv", tag_names=("O",))}, "`tag_names`"),
        (
            {"kind": "similarity", "data": DataSpec(path="rows.csv", pairs="scored", sampling="oversample")},
            "`sampling`",
        ),
        (
            {"kind": "similarity", "data": DataSpec(path="rows.csv", pairs="scored", slice_columns=("shop",))},
            "`slice_columns`",
        ),
        ({"train": TrainSpec(contrastive=ContrastiveSpec(temperature=0.2))}, r"\[train\.contrastive\]"),
        ({"train": TrainSpec(recipe="contrastive", gradient_accumulation=2)}, "`gradient_accumulation`"),
        ({"train": TrainSpec(recipe="contrastive", label_smoothing=0.1)}, "`label_smoothing`"),
        ({"train": TrainSpec(recipe="contrastive", class_weights="balanced")}, "`class_weights`"),
        ({"train": TrainSpec(recipe="contrastive", focal_gamma=1.0)}, "`focal_gamma`"),
    ],
)
def test_a_setting_that_would_do_nothing_is_refused(tiny_spec: Make, changes: dict[str, object], told: str) -> None:
    with pytest.raises(TrainingError, match=f"^{told}.* would do nothing"):
        check_feasible(tiny_spec(rows=30).model_copy(update=changes))


@pytest.mark.parametrize(
    "changes",
    [
        {"kind": "similarity", "data": DataSpec(path="rows.csv", pairs="matching")},
        {"kind": "similarity", "data": DataSpec(path="rows.csv", sampling="oversample")},
        {"multi_label": True, "data": DataSpec(path="rows.csv", label_separator=";")},
        {"kind": "token-classification", "data": DataSpec(path="rows.jsonl", tag_scheme="bioes", tag_names=("O",))},
        {"train": TrainSpec(recipe="contrastive", contrastive=ContrastiveSpec(temperature=0.2))},
        {"train": TrainSpec(recipe="contrastive", label_smoothing=0.1), "prune": PruneSpec(drop_layers=1)},
    ],
)
def test_where_it_does_something_it_is_taken(tiny_spec: Make, changes: dict[str, object]) -> None:
    check_feasible(tiny_spec(rows=30).model_copy(update=changes | {"gate": GateSpec()}))


@pytest.mark.parametrize("kind", KINDS)
def test_a_floor_for_what_is_not_measured_is_refused(tiny_spec: Make, kind: str) -> None:
    spec = tiny_spec(rows=30).model_copy(update={"kind": kind})
    floors = [name for name in GateSpec.model_fields if name.startswith("min_")]
    measured = [f"min_{name}" for name in kind_of(spec).gated]
    assert set(measured) < set(floors)
    check_feasible(spec.model_copy(update={"gate": GateSpec(**dict.fromkeys(measured, 0.5))}))
    for name in set(floors) - set(measured):
        with pytest.raises(TrainingError, match=rf"\[gate\] {name} is 0\.5, .* it has {measured[0]}"):
            check_feasible(spec.model_copy(update={"gate": GateSpec(**{name: 0.5})}))
