"""Dropout that is set, and dropout that is fast."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from training.learning.classifier import TextClassifier
from training.learning.dropout import LaneDropout, lanes, set_dropout


def test_dropout_is_set_everywhere(model: TextClassifier) -> None:
    set_dropout(model, 0.25)
    assert {module.p for module in model.modules() if isinstance(module, nn.Dropout)} == {0.25}
    attention = model.encoder.encoder.layer[0].attention.self
    assert attention.dropout_prob == 0.25


@pytest.mark.parametrize("share", [0.01, 0.1, 0.5, 0.9])
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_the_share_is_left_out_and_the_mean_stays(share: float, dtype: torch.dtype) -> None:
    torch.manual_seed(5)
    values = torch.ones((400, 1001), dtype=dtype, requires_grad=True)
    found = LaneDropout(share)(values)
    gone = (found == 0).float()
    assert found.dtype == dtype
    assert gone.mean().item() == pytest.approx(share, abs=0.003)
    # Every one of the four values of a draw is as likely to go as the others.
    by_lane = [gone.flatten()[lane::4].mean().item() for lane in range(4)]
    assert by_lane == pytest.approx([share] * 4, abs=0.006)
    kept = found[found != 0].detach().float()
    assert kept.min() == kept.max()
    assert kept.max().item() == pytest.approx(1 / (1 - share), rel=0.01)
    found.sum().backward()
    assert values.grad is not None
    assert torch.equal(values.grad, found.detach())


def test_it_is_decided_by_the_seed_and_off_outside_of_training() -> None:
    dropout, values = LaneDropout(0.5), torch.rand(3, 7)
    drawn = []
    for seed in (1, 1, 2):
        torch.manual_seed(seed)
        drawn.append(dropout(values))
    assert torch.equal(drawn[0], drawn[1])
    assert not torch.equal(drawn[0], drawn[2])
    assert torch.equal(dropout.eval()(values), values)


def test_the_network_is_as_it_was_afterwards(model: TextClassifier) -> None:
    before = {name: type(module) for name, module in model.named_modules()}
    model.train()
    with lanes(model, on_cpu=True):
        assert not [one for one in model.modules() if type(one) is nn.Dropout]
        assert len([one for one in model.modules() if isinstance(one, LaneDropout)]) > 4
        model.eval()
    assert {name: type(module) for name, module in model.named_modules()} == before
    assert not any(module.training for module in model.modules())
    with lanes(model, on_cpu=False):
        assert {name: type(module) for name, module in model.named_modules()} == before
