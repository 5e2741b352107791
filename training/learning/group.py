"""The processes that train one model together, as `torchrun` or `accelerate launch` started them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeVar

import torch
from torch import distributed, nn

Shared = TypeVar("Shared")


@dataclass(frozen=True)
class Group:
    """This process among those that train together; alone, all that it says of others is true of nobody."""

    rank: int = 0
    size: int = 1

    @property
    def leads(self) -> bool:
        """Whether this one writes: checkpoints, the release, lines for a person."""
        return self.rank == 0

    def add_gradients(self, parameters: Sequence[nn.Parameter], numbers: Sequence[float]) -> list[float]:
        """Replace every gradient by the sum of all processes' gradients; returns the sums of `numbers`.

        One exchange: everything travels as one flat buffer.
        """
        if self.size == 1:
            return list(numbers)
        grads = [torch.zeros_like(one) if one.grad is None else one.grad for one in parameters]
        beside = torch.tensor(numbers, dtype=torch.float32, device=grads[0].device)
        flat = torch.cat([*(grad.reshape(-1) for grad in grads), beside])
        distributed.all_reduce(flat)
        *parts, beside = flat.split([*(grad.numel() for grad in grads), len(numbers)])
        for parameter, part in zip(parameters, parts, strict=True):
            parameter.grad = part.view_as(parameter)
        return [float(number) for number in beside]

    def gather(self, value: Shared) -> list[Shared]:
        """What each process gives, in the order of their ranks."""
        if self.size == 1:
            return [value]
        found: list[Shared] = [value] * self.size
        distributed.all_gather_object(found, value)
        return found


def current_group() -> Group:
    """The group that this process has joined; alone where it has joined none."""
    if distributed.is_available() and distributed.is_initialized():
        return Group(distributed.get_rank(), distributed.get_world_size())
    return Group()
