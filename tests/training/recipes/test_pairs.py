"""Every text meets one of its own label in its batch, and the loss is the paper's."""

from __future__ import annotations

import random
from collections import Counter

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from training.kinds.vector_objectives import contrast_loss
from training.recipes.pairs import batches_of_pairs


@given(
    labels=st.lists(st.integers(0, 5), min_size=1, max_size=60),
    size=st.integers(1, 40),
    together=st.integers(2, 5),
    seed=st.integers(0, 1000),
)
def test_every_text_is_met_with_a_positive_pair(labels: list[int], size: int, together: int, seed: int) -> None:
    batches = batches_of_pairs(labels, size, together, random.Random(seed))
    assert {row for batch in batches for row in batch} == set(range(len(labels)))
    for batch in batches:
        assert len(batch) <= max(size, together)
        counts = Counter(labels[row] for row in batch)
        assert all(count % together == 0 for count in counts.values())
    # Only what fills a label's last group is drawn twice.
    drawn = sum(len(batch) for batch in batches)
    assert drawn - len(labels) <= len(set(labels)) * (together - 1)
    assert batches == batches_of_pairs(labels, size, together, random.Random(seed))


def test_the_loss_is_that_of_the_paper() -> None:
    """By loops over anchors and pairs, as equation 2 of arXiv 2004.11362 has it."""
    torch.manual_seed(1)
    embeddings, labels, temperature = torch.randn(7, 4), torch.tensor([0, 0, 1, 1, 1, 2, 2]), 0.3
    unit = embeddings / embeddings.norm(dim=1, keepdim=True)
    total = 0.0
    for i in range(7):
        mates = [p for p in range(7) if p != i and labels[p] == labels[i]]
        below = sum(torch.exp(unit[i] @ unit[a] / temperature) for a in range(7) if a != i)
        total -= sum(torch.log(torch.exp(unit[i] @ unit[p] / temperature) / below) for p in mates) / len(mates)
    found = contrast_loss(embeddings, labels, 1 / temperature)
    assert found.item() == pytest.approx(float(total / 7), abs=1e-5)


def test_what_lies_together_loses_less() -> None:
    labels = torch.tensor([0, 0, 1, 1])
    apart = torch.tensor([[1.0, 0.0], [1.0, 0.1], [-1.0, 0.0], [-1.0, 0.1]])
    mixed = apart[[0, 2, 1, 3]]
    assert contrast_loss(apart, labels, 10) < 0.01
    assert contrast_loss(mixed, labels, 10) > 5


def test_a_batch_without_pairs_loses_nothing_and_has_a_gradient() -> None:
    embeddings = torch.randn(3, 4, requires_grad=True)
    loss = contrast_loss(embeddings, torch.tensor([0, 1, 2]), 10)
    loss.backward()
    assert loss.item() == 0.0
    assert embeddings.grad is not None
    assert not embeddings.grad.any()
