"""Who may train together on one machine."""

from __future__ import annotations

import pytest
import torch

from contracts.errors import TrainingError
from training.learning.group import joined_group


def test_a_process_without_a_card_of_its_own_is_told_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 1)
    with (
        pytest.raises(TrainingError, match=r"process 2 on a machine with 1 graphics card, .*CUDA_VISIBLE_DEVICES"),
        joined_group({"WORLD_SIZE": "2", "RANK": "1", "LOCAL_RANK": "1"}),
    ):
        pass
