"""What an interrupted training goes on from: one safetensors file, replaced whole."""

from __future__ import annotations

import hashlib
import json
import logging
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor, nn

from contracts.errors import TrainingError
from contracts.files import write_atomic
from contracts.schema import Contract
from training.learning.lesson import Encoded, Epoch

logger = logging.getLogger(__name__)

_FORMAT = "2"


@dataclass
class Position:
    """How far a training has come: the epochs that are over, and the losses of the steps of the one under way."""

    epochs: list[Epoch] = field(default_factory=list)
    losses: list[float] = field(default_factory=list)

    @property
    def steps(self) -> int:
        """Steps taken in the epoch under way."""
        return len(self.losses)


@dataclass(frozen=True)
class Checkpoint:
    """Weights that are trained, the best ones so far, and the optimizer's memory."""

    position: Position
    weights: Mapping[str, Tensor]
    best: Mapping[str, Tensor]
    moments: Mapping[str, Tensor]  # "<name of the parameter> <name of the moment>"


def fingerprint(model: nn.Module, train: Encoded, validation: Encoded, *settings: Contract) -> str:
    """sha256 of all that decides what a training does: its settings, its data, and the weights that it starts from."""
    digest = hashlib.sha256("".join(one.model_dump_json() for one in settings).encode())
    for encoded in (train, validation):
        digest.update(repr([encoded.row(index) for index in range(len(encoded))]).encode())
    for name, value in model.state_dict().items():
        digest.update(name.encode())
        digest.update(value.detach().cpu().contiguous().numpy())
    return digest.hexdigest()


def save_checkpoint(path: Path, checkpoint: Checkpoint, mark: str) -> None:
    """Write it beside the old one, durably, then put it in its place.

    Raises TrainingError when it cannot be written, such as on a full disk; the old one is still there then.
    """
    parts = {"weights": checkpoint.weights, "best": checkpoint.best, "moments": checkpoint.moments}
    tensors = {
        f"{part} {name}": value.detach().cpu().contiguous()
        for part, values in parts.items()
        for name, value in values.items()
    }
    position = json.dumps(asdict(checkpoint.position))
    try:
        write_atomic(path, save(tensors, {"format": _FORMAT, "fingerprint": mark, "position": position}))
    except OSError as error:
        raise TrainingError(
            f"The checkpoint {path} cannot be written ({error.strerror}). Make room, or set PERENNIAL_HOME to a folder "
            "on another disk; the same command then goes on from the last checkpoint."
        ) from error


def load_checkpoint(path: Path, mark: str) -> Checkpoint | None:
    """The checkpoint of this very training; None where there is none, of another one, or a damaged one."""
    if not path.is_file():
        return None
    try:
        with safe_open(path, framework="pt") as opened:
            about = opened.metadata() or {}
            if about.get("format") != _FORMAT or about.get("fingerprint") != mark:
                return None
            parts: dict[str, dict[str, Tensor]] = {"weights": {}, "best": {}, "moments": {}}
            names = opened.keys()
            for key in names:
                part, _, name = key.partition(" ")
                parts[part][name] = opened.get_tensor(key)
        found = json.loads(about["position"])
        position = Position([Epoch(**epoch) for epoch in found["epochs"]], found["losses"])
    except (SafetensorError, OSError, ValueError, KeyError, TypeError) as error:
        logger.warning("checkpoint %s is damaged (%s): training starts anew", path, error)
        return None
    return Checkpoint(position, **parts)


def trained_weights(model: nn.Module) -> dict[str, Tensor]:
    """The parameters that training changes, by name; not copies."""
    return {name: value for name, value in model.named_parameters() if value.requires_grad}


def put_weights(model: nn.Module, weights: Mapping[str, Tensor]) -> None:
    """Copy these values into the parameters of these names."""
    own = dict(model.named_parameters())
    with torch.no_grad():
        for name, value in weights.items():
            own[name].copy_(value)


def moments_of(optimizer: torch.optim.Optimizer, model: nn.Module) -> dict[str, Tensor]:
    """The optimizer's memory, by parameter."""
    return {
        f"{name} {moment}": value
        for name, parameter in model.named_parameters()
        for moment, value in optimizer.state.get(parameter, {}).items()
    }


def put_moments(optimizer: torch.optim.Optimizer, model: nn.Module, moments: Mapping[str, Tensor]) -> None:
    """Give the optimizer back its memory."""
    own = dict(model.named_parameters())
    for key, value in moments.items():
        name, _, moment = key.partition(" ")
        parameter = own[name]
        optimizer.state[parameter][moment] = value.to(parameter.device)
