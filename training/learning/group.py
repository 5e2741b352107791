"""The processes that train one model together, as `torchrun` or `accelerate launch` started them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import TypeVar

import torch
from torch import distributed, nn

from contracts.errors import TrainingError

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

    def share(self, value: Shared | None) -> Shared:
        """What the leading process gives; the others give None. Raises TrainingError when it ended before."""
        if self.size == 1:
            found: list[Shared | None] = [value]
        else:
            found = [value if self.leads else None]
            try:
                distributed.broadcast_object_list(found, src=0)
            except RuntimeError as error:
                raise TrainingError(
                    "The leading process ended before its work was done; its output says why."
                ) from error
        if found[0] is None:
            raise TrainingError("The leading process had nothing to share, expected a result. Start all of them anew.")
        return found[0]

    def gather(self, value: Shared) -> list[Shared]:
        """What each process gives, in the order of their ranks."""
        if self.size == 1:
            return [value]
        found: list[Shared] = [value] * self.size
        distributed.all_gather_object(found, value)
        return found


@contextmanager
def joined_group(environment: Mapping[str, str]) -> Iterator[Group]:
    """Join the processes that `torchrun` or `accelerate launch` started with this one, if they did.

    They say so by WORLD_SIZE, RANK, LOCAL_RANK, MASTER_ADDR and MASTER_PORT. NCCL adds up gradients between graphics
    cards; all else is told by Gloo, which waits without work and notices when a process ends. Raises TrainingError
    where this machine has fewer cards than processes.
    """
    if int(environment.get("WORLD_SIZE", "1")) == 1:
        yield Group()
        return
    cards = torch.cuda.device_count()
    if cards:
        place = int(environment.get("LOCAL_RANK", "0"))
        if place >= cards:
            raise TrainingError(
                f"This is process {place + 1} on a machine with {cards} graphics card{'s' if cards > 1 else ''}, "
                f"expected one for each process. Start {cards} of them here, or set CUDA_VISIBLE_DEVICES to nothing to "
                "train on processors."
            )
        torch.cuda.set_device(place)
    # A day: while the leading process measures and publishes, the others do nothing but wait for it.
    distributed.init_process_group("cpu:gloo,cuda:nccl" if cards else "gloo", timeout=timedelta(days=1))
    try:
        yield current_group()
    finally:
        distributed.destroy_process_group()


def current_group() -> Group:
    """The group that this process has joined; alone where it has joined none."""
    if distributed.is_available() and distributed.is_initialized():
        return Group(distributed.get_rank(), distributed.get_world_size())
    return Group()
