from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from contracts.task import TaskSpec
from service.engine.heads import HEADS, best_label, ranked_labels

LOGITS = arrays(np.float32, st.tuples(st.integers(1, 6), st.integers(2, 9)), elements=st.floats(-1e4, 1e4, width=32))


@given(LOGITS, st.floats(0.05, 20))
def test_the_label_is_the_largest_logit_and_the_score_its_softmax(logits: np.ndarray, temperature: float) -> None:
    scored = best_label(logits, temperature)
    for row, (index, score) in enumerate(zip(scored.indices, scored.scores, strict=True)):
        values = logits[row].astype(np.float64) / temperature
        exponents = np.exp(values - values.max())
        assert logits[row, index] == logits[row].max()
        assert score == pytest.approx((exponents / exponents.sum()).max(), rel=1e-9)
        assert 1 / logits.shape[1] - 1e-9 <= score <= 1


def test_a_higher_temperature_is_less_sure() -> None:
    logits = np.array([[2.0, 1.0, 0.0]], dtype=np.float32)
    assert best_label(logits, 3.0).scores[0] < best_label(logits, 1.0).scores[0]


def test_every_kind_of_task_has_a_head() -> None:
    kinds = TaskSpec.model_fields["kind"].annotation.__args__
    assert set(HEADS) == set(kinds)


@given(LOGITS, st.floats(0.05, 20), st.integers(1, 12))
def test_ranked_labels_begin_with_the_best_one_and_fall(logits: np.ndarray, temperature: float, count: int) -> None:
    scored = best_label(logits, temperature)
    for row, (index, score) in enumerate(zip(scored.indices, scored.scores, strict=True)):
        ranked = ranked_labels(logits[row], temperature, count)
        assert ranked[0] == (index, pytest.approx(score, rel=1e-9))
        assert len({found for found, _ in ranked}) == len(ranked) == min(count, logits.shape[1])
        assert [value for _, value in ranked] == sorted((value for _, value in ranked), reverse=True)
        if count >= logits.shape[1]:
            assert sum(value for _, value in ranked) == pytest.approx(1)
