"""Detectors: their level, their power, and that they answer for every input."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from contracts.reference import Reference
from monitoring.drift import DETECTORS, EFFECT_FLOORS, FEWEST_ROWS, detect
from monitoring.embedding_distance import EmbeddingSplit
from monitoring.permutation import DRAWS, MOST_BINS, binned, p_value
from monitoring.window import Sample


def sample(reference: Reference) -> Sample:
    return Sample(
        labels=reference.predicted,
        scores=reference.scores,
        lengths=reference.lengths,
        unknown_shares=reference.unknown_shares,
        fragmentation=reference.fragmentation,
        projections=reference.projections,
    )


@pytest.mark.parametrize("name", DETECTORS)
@pytest.mark.parametrize(("classes", "rows"), [(8, 60), (150, 200)])
def test_a_detector_keeps_its_level(
    name: str, classes: int, rows: int, made_reference: Callable[..., Reference]
) -> None:
    # Seeds are fixed, so this cannot flake; at level 0.05 chance gives 13 of 100 once in 800 times.
    alarms = 0
    for trial in range(100):
        before = sample(made_reference(300, classes=classes, dimensions=4, seed=2 * trial))
        now = sample(made_reference(rows, classes=classes, dimensions=4, seed=2 * trial + 1))
        alarms += DETECTORS[name](before, now, np.random.default_rng(trial))[1] <= 0.05
    assert alarms <= 12


def changed(name: str, window: Sample, rng: np.random.Generator) -> Sample:
    """The window with one trait moved for a third of its texts."""
    odd = rng.random(window.rows) < 0.35
    columns = dict(vars(window))
    changes = {
        "labels": ("labels", np.where(odd, 0, window.labels)),
        "confidence": ("scores", np.where(odd, window.scores * 0.6, window.scores).astype(np.float32)),
        "length": ("lengths", np.where(odd, window.lengths * 2, window.lengths)),
        "unknown": ("unknown_shares", np.where(odd, 0.3, window.unknown_shares).astype(np.float32)),
        "fragmentation": ("fragmentation", (window.fragmentation + odd).astype(np.float32)),
        "embedding": ("projections", (window.projections + 1.5 * odd[:, None]).astype(np.float32)),
    }
    field, values = changes[name]
    return Sample(**(columns | {field: values}))


@pytest.mark.parametrize("name", DETECTORS)
def test_each_detector_sees_its_own_trait_and_no_other(name: str, made_reference: Callable[..., Reference]) -> None:
    before = sample(made_reference(2000))
    same = sample(made_reference(300, seed=4))
    moved = changed(name, same, np.random.default_rng(0))
    quiet = {found.name: found for found in detect(before, same, "window")}
    found = {found.name: found for found in detect(before, moved, "window")}
    assert found[name].p_value == 1 / (DRAWS + 1)
    assert found[name].effect >= EFFECT_FLOORS[name]
    assert found[name].score > quiet[name].score
    assert all(found[other] == quiet[other] for other in DETECTORS if other != name)


def test_equal_seeds_give_equal_findings(made_reference: Callable[..., Reference]) -> None:
    before, now = sample(made_reference(900)), sample(made_reference(120, seed=8))
    assert detect(before, now, "a") == detect(before, now, "a")
    assert detect(before, now, "a") != detect(before, now, "b")


def test_effects_grow_in_proportion_to_the_share_of_foreign_texts(made_reference: Callable[..., Reference]) -> None:
    before = sample(made_reference(4000))
    base = sample(made_reference(4000, seed=5))
    effects = []
    for share in (0.1, 0.2, 0.4):
        odd = (np.arange(base.rows) < share * base.rows)[:, None]
        moved = (base.projections + 3.0 * odd).astype(np.float32)
        effects.append(EmbeddingSplit.of(before.projections[:1500].astype(float), moved[::3].astype(float)).effect)
    assert effects[1] / effects[0] == pytest.approx(2.0, rel=0.3)
    assert effects[2] / effects[1] == pytest.approx(2.0, rel=0.3)


def test_too_few_rows_say_nothing(made_reference: Callable[..., Reference]) -> None:
    many, few = sample(made_reference(200)), sample(made_reference(FEWEST_ROWS - 1))
    assert detect(many, few, "w") == ()
    assert detect(few, many, "w") == ()


columns = st.integers(FEWEST_ROWS, 60)


@st.composite
def samples(draw: st.DrawFn) -> Sample:
    rows = draw(columns)
    unit = {"elements": st.floats(0, 1, width=32)}
    big = {"elements": st.floats(-1e6, 1e6, width=32)}
    return Sample(
        labels=draw(arrays.arrays(np.int64, rows, elements=st.integers(0, 5))),
        scores=draw(arrays.arrays(np.float32, rows, **unit)),
        lengths=draw(arrays.arrays(np.int64, rows, elements=st.integers(0, 10_000))),
        unknown_shares=draw(arrays.arrays(np.float32, rows, **unit)),
        fragmentation=draw(arrays.arrays(np.float32, rows, elements=st.floats(0, 1000, width=32))),
        projections=draw(arrays.arrays(np.float32, (rows, 3), **big)),
    )


@settings(max_examples=25, deadline=None)
@given(samples(), samples())
def test_every_answer_is_a_number_in_its_range(before: Sample, now: Sample) -> None:
    for found in detect(before, now, "w"):
        assert math.isfinite(found.score)
        assert 0 < found.p_value <= 1
        assert 0 <= found.effect <= 1


def test_two_constant_samples_are_the_same() -> None:
    flat = Sample(
        labels=np.zeros(50, dtype=np.int64),
        scores=np.ones(50, dtype=np.float32),
        lengths=np.full(50, 7),
        unknown_shares=np.zeros(50, dtype=np.float32),
        fragmentation=np.ones(50, dtype=np.float32),
        projections=np.zeros((50, 2), dtype=np.float32),
    )
    assert all((found.p_value, found.effect) == (1.0, 0.0) for found in detect(flat, flat, "w"))


@settings(max_examples=60)
@given(
    arrays.arrays(np.float64, st.integers(1, 600), elements=st.floats(-10, 10)),
    arrays.arrays(np.float64, st.integers(1, 600), elements=st.floats(-10, 10)),
)
def test_binning_keeps_every_row_and_the_order(before: np.ndarray, now: np.ndarray) -> None:
    left, right = binned(before, now)
    assert (left.sum(), right.sum()) == (len(before), len(now))
    assert len(left) == len(right) <= MOST_BINS
    # All of one sample below all of the other: so are its bins.
    low, high = binned(before, now + 100.0)
    assert np.flatnonzero(low).max() <= np.flatnonzero(high).min()


@given(st.integers(0, DRAWS))
def test_a_p_value_without_early_stop_is_k_plus_1_of_b_plus_1(extreme: int) -> None:
    statistics = np.concatenate([np.zeros(DRAWS - extreme), np.ones(extreme)])
    taken = 0

    def draw(size: int) -> np.ndarray:
        nonlocal taken
        taken += size
        return statistics[taken - size : taken]

    found = p_value(0.5, draw)
    if extreme < 20:
        assert found == (extreme + 1) / (DRAWS + 1)
    else:
        # Besag and Clifford: the twentieth exceedance comes at draw B - k + 20.
        assert found == 20 / (DRAWS - extreme + 20)


def test_a_number_is_the_same_in_the_reference_and_in_the_log() -> None:
    """The reference keeps 7/6 in 32 bits, the log as 1.166667; a detector that sees two values alarms on nothing."""
    ratios = np.array([1.0, 7 / 6, 8 / 7, 13 / 11, 4 / 3] * 60)
    before, now = binned(ratios.astype(np.float32), np.round(ratios, 6))
    assert before.tolist() == now.tolist() == [60] * 5
