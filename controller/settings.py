"""What an operator decides about the controller, read once from the environment."""

from __future__ import annotations

import math
import shlex
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from contracts.errors import SettingsError

RUNNERS = ("process", "kubernetes")


@dataclass(frozen=True)
class ControllerSettings:
    """Times are in seconds. `port` 0 takes any free port, which the log then names."""

    host: str = "127.0.0.1"
    port: int = 3002
    reconcile_seconds: float = 5.0
    runner: str = "process"
    job_timeout_seconds: float = 6 * 3600.0
    job_attempts: int = 3
    stop_grace_seconds: float = 10.0
    job_command: tuple[str, ...] = field(default_factory=lambda: (sys.executable, "-m", "training.job"))
    kubernetes_job_template: Path | None = None
    kubernetes_namespace: str = "perennial"

    @classmethod
    def from_environment(cls, environment: Mapping[str, str]) -> ControllerSettings:
        """Read PERENNIAL_CONTROLLER_*; what is not set keeps its default. Raises SettingsError."""
        default = cls()
        runner = environment.get("PERENNIAL_CONTROLLER_RUNNER", default.runner)
        if runner not in RUNNERS:
            raise SettingsError("PERENNIAL_CONTROLLER_RUNNER", runner, f"one of {', '.join(RUNNERS)}")
        template = environment.get("PERENNIAL_CONTROLLER_JOB_TEMPLATE")
        if runner == "kubernetes" and not template:
            raise SettingsError(
                "PERENNIAL_CONTROLLER_JOB_TEMPLATE", template, "the path of a batch/v1 Job in YAML (runner kubernetes)"
            )
        command = environment.get("PERENNIAL_CONTROLLER_JOB_COMMAND")
        return cls(
            host=environment.get("PERENNIAL_CONTROLLER_HOST", default.host),
            port=int(_number(environment, "PERENNIAL_CONTROLLER_PORT", default.port, 0, 65535, whole=True)),
            reconcile_seconds=_number(
                environment, "PERENNIAL_CONTROLLER_RECONCILE_SECONDS", default.reconcile_seconds, 0.01, 3600
            ),
            runner=runner,
            job_timeout_seconds=_number(
                environment, "PERENNIAL_CONTROLLER_JOB_TIMEOUT_SECONDS", default.job_timeout_seconds, 1, 30 * 86400
            ),
            job_attempts=int(
                _number(environment, "PERENNIAL_CONTROLLER_JOB_ATTEMPTS", default.job_attempts, 1, 20, whole=True)
            ),
            stop_grace_seconds=_number(
                environment, "PERENNIAL_CONTROLLER_STOP_GRACE_SECONDS", default.stop_grace_seconds, 0, 600
            ),
            job_command=_command(command) if command is not None else default.job_command,
            kubernetes_job_template=Path(template) if template else None,
            kubernetes_namespace=environment.get("PERENNIAL_CONTROLLER_NAMESPACE", default.kubernetes_namespace),
        )


def _number(
    environment: Mapping[str, str], name: str, default: float, low: float, high: float, *, whole: bool = False
) -> float:
    raw = environment.get(name)
    if raw is None:
        return default
    expected = f"a {'whole ' if whole else ''}number from {low:g} to {high:g}"
    try:
        value = float(raw)
    except ValueError as error:
        raise SettingsError(name, raw, expected) from error
    if not math.isfinite(value) or not low <= value <= high or (whole and value != int(value)):
        raise SettingsError(name, raw, expected)
    return value


def _command(raw: str) -> tuple[str, ...]:
    try:
        words = tuple(shlex.split(raw))
    except ValueError as error:
        raise SettingsError("PERENNIAL_CONTROLLER_JOB_COMMAND", raw, f"a command line ({error})") from error
    if not words:
        raise SettingsError("PERENNIAL_CONTROLLER_JOB_COMMAND", raw, "a command line, such as python -m training.job")
    return words
