"""From a trial's settings back to a task."""

from __future__ import annotations

from collections.abc import Mapping

from contracts.task import TaskSpec

_OF_MODEL = ("freeze_layers",)  # the others are of [train]
Settings = Mapping[str, float]


def applied(spec: TaskSpec, chosen: Settings) -> TaskSpec:
    """The task with these settings; the rate and the smoothing as they are written down, so that both train alike."""
    rounded = {name: _rounded(value) for name, value in chosen.items()}
    model = {name: value for name, value in rounded.items() if name in _OF_MODEL}
    train = {name: value for name, value in rounded.items() if name not in _OF_MODEL}
    return spec.model_copy(
        update={"train": spec.train.model_copy(update=train), "model": spec.model.model_copy(update=model)}
    )


def snippet(chosen: Settings, told: str) -> str:
    """The settings as TOML to put into the task file; `told` is a comment above them."""
    rounded = {name: _rounded(value) for name, value in chosen.items()}
    train = [f"{name} = {value}" for name, value in rounded.items() if name not in _OF_MODEL]
    model = [f"{name} = {value}" for name, value in rounded.items() if name in _OF_MODEL]
    return "\n".join([f"# {told}", "[train]", *train, "", "[model]", *model, ""])


def _rounded(value: float) -> float:
    return value if isinstance(value, int) else float(f"{value:.3g}")
