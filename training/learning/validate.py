"""What validation says of the network as it is."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch

from training.learning.group import Group
from training.learning.lesson import Encoded
from training.learning.network import Network
from training.learning.objective import LossSettings

_ROWS_AT_ONCE = 64


@dataclass(frozen=True)
class Validated:
    """`score` is the objective's, 0..1; `loss` is the mean over all that it counts."""

    loss: float
    score: float


def validate(model: Network, encoded: Encoded, *, device: torch.device, bf16: bool, group: Group) -> Validated:
    """Run the rows in batches of similar length, each process its share of the batches; all learn the whole result."""
    objective = model.objective
    order = np.argsort([len(ids) for ids in encoded.ids], kind="stable").tolist()
    batches = [order[at : at + _ROWS_AT_ONCE] for at in range(0, len(order), _ROWS_AT_ONCE)]
    model.eval()
    found = []
    with torch.inference_mode():
        for number in range(group.rank, len(batches), group.size):
            inputs = objective.collate([encoded.row(index) for index in batches[number]])
            weight = objective.weight(inputs["labels"], LossSettings())
            placed = {name: value.to(device) for name, value in inputs.items()}
            labels = placed.pop("labels")
            with torch.autocast(device.type, torch.bfloat16, enabled=bf16):
                output = model(**placed)[objective.output]
            output = output.float()
            loss = float(objective.loss(output, labels, LossSettings()))
            found.append((number, loss * weight, weight, output.cpu().numpy(), labels.cpu().numpy()))
    model.train()
    parts = sorted((part for share in group.gather(found) for part in share), key=lambda part: part[0])
    weight = sum(part[2] for part in parts)
    score = objective.score([part[3] for part in parts], [part[4] for part in parts])
    return Validated(loss=sum(part[1] for part in parts) / weight, score=score)
