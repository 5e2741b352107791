"""Vectors that belong together are pulled together, and what is measured of them is what its name says."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from contracts.vectors import unit
from training.kinds.nearness import recall_at, spearman
from training.kinds.vector_objectives import MATCHES, SCORED_PAIRS, contrast_loss, cosine_loss


def test_pairs_stand_one_after_the_other() -> None:
    rows = [{"input_ids": [1, 2], "labels": ([3], 7)}, {"input_ids": [4], "labels": ([5, 6, 8], 9)}]
    batch = MATCHES.collate(rows)
    assert batch["input_ids"].tolist() == [[1, 2, 0], [3, 0, 0], [4, 0, 0], [5, 6, 8]]
    assert batch["attention_mask"].sum(dim=1).tolist() == [2, 1, 1, 3]
    assert batch["labels"].tolist() == [7, 7, 9, 9]


def test_with_groups_of_two_the_loss_is_infonce() -> None:
    torch.manual_seed(1)
    vectors, groups = torch.randn(6, 5), torch.tensor([0, 0, 1, 1, 2, 2])
    normal = torch.nn.functional.normalize(vectors, dim=-1)
    expected = 0.0
    for one in range(6):
        exponents = {other: math.exp(20 * float(normal[one] @ normal[other])) for other in range(6) if other != one}
        expected -= math.log(exponents[one ^ 1] / sum(exponents.values())) / 6
    assert float(contrast_loss(vectors, groups)) == pytest.approx(expected, rel=1e-4)


def test_a_vector_without_a_mate_counts_for_nothing() -> None:
    alone = contrast_loss(torch.randn(3, 4), torch.tensor([0, 1, 2]))
    assert float(alone) == 0.0


def test_scored_pairs_want_their_cosine() -> None:
    vectors = torch.tensor([[1.0, 0.0], [2.0, 0.0], [0.0, 3.0], [1.0, 0.0]])
    assert float(cosine_loss(vectors, torch.tensor([1.0, 1.0, 0.0, 0.0]))) == 0.0
    assert float(cosine_loss(vectors, torch.tensor([0.0, 0.0, 0.0, 0.0]))) == 0.5


@pytest.mark.parametrize("objective", [MATCHES, SCORED_PAIRS])
def test_training_on_the_loss_raises_the_score(objective: object) -> None:
    assert objective in (MATCHES, SCORED_PAIRS)
    torch.manual_seed(3)
    vectors = torch.randn(40, 8, requires_grad=True)
    labels = torch.arange(20).repeat_interleave(2).float() / (1 if objective is MATCHES else 20)
    optimizer = torch.optim.Adam([vectors], lr=0.05)

    def score() -> float:
        return objective.score([vectors.detach().numpy()], [labels.numpy()])

    before = score()
    for _ in range(60):
        optimizer.zero_grad()
        objective.loss(vectors, labels, None).backward()
        optimizer.step()
    assert score() > 0.95 > before


@given(st.lists(st.tuples(st.integers(-3, 3), st.integers(-3, 3)), min_size=2, max_size=15))
def test_rank_correlation_is_that_of_scipy(pairs: list[tuple[int, int]]) -> None:
    first, second = np.array(pairs, dtype=float).T
    if len(set(first)) == 1 or len(set(second)) == 1:
        assert spearman(first, second) == 0.0
    else:
        assert spearman(first, second) == pytest.approx(stats.spearmanr(first, second).statistic)


@given(seed=st.integers(0, 2**16), rows=st.integers(2, 20), most=st.integers(1, 8))
def test_recall_is_what_sorting_all_distances_finds(seed: int, rows: int, most: int) -> None:
    rng = np.random.default_rng(seed)
    vectors, groups = unit(rng.normal(size=(rows, 4)).astype(np.float32)), rng.integers(0, 3, rows)
    found = recall_at((1, most), vectors, groups, vectors, groups, same=True)
    for count in (1, most):
        hits = 0
        for one in range(rows):
            order = sorted(
                (other for other in range(rows) if other != one), key=lambda o: -float(vectors[one] @ vectors[o])
            )
            hits += any(groups[other] == groups[one] for other in order[:count])
        assert found[count] == pytest.approx(hits / rows)


def test_queries_may_be_other_texts_than_the_corpus() -> None:
    corpus = np.eye(3, dtype=np.float32)
    found = recall_at((1, 3, 10), corpus[:2], np.array([0, 9]), corpus, np.array([0, 1, 2]))
    assert found == {1: 0.5, 3: 0.5, 10: 0.5}


def test_unit_vectors_have_length_one_and_nothing_stays_nothing() -> None:
    found = unit(np.array([[3.0, 4.0], [0.0, 0.0]], dtype=np.float32))
    np.testing.assert_allclose(found, [[0.6, 0.8], [0.0, 0.0]], atol=1e-7)
