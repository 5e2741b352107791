"""Every error that a user of Perennial is meant to read.

Each message says what was expected, what was found, and what to do. The classes know nothing of
HTTP or of exit codes: `service/` and `cli/` map them, each with one table.
"""

from __future__ import annotations

from pathlib import Path


class PerennialError(Exception):
    """Root of all errors with a message for the user; anything else that escapes is a defect."""


class TaskSpecError(PerennialError):
    """A task file that cannot be used."""

    def __init__(self, path: Path | str, problem: str, remedy: str) -> None:
        super().__init__(f"Task file {path}: {problem} {remedy}")


class DataError(PerennialError):
    """Training data that cannot be used; names the file and, where there is one, the line (from 1)."""

    def __init__(self, path: Path | str, line: int | None, problem: str, remedy: str) -> None:
        where = f"{path}, line {line}" if line is not None else f"{path}"
        super().__init__(f"{where}: {problem} {remedy}")
        self.path = str(path)
        self.line = line


class BaseModelError(PerennialError):
    """A base model that cannot be found, is damaged, or is of an architecture that cannot be exported."""


class TrainingError(PerennialError):
    """Training that had to stop, such as a loss that is no number."""


class GateRefusedError(PerennialError):
    """An artefact that did not pass its gate: nothing was published."""

    def __init__(self, task: str, reasons: list[str]) -> None:
        listed = "; ".join(reasons)
        super().__init__(
            f"Task {task}: the trained artefact did not pass its gate, so no release was published: {listed}. "
            "Train longer or with more data, prune less, or change [gate] in the task file."
        )
        self.task = task
        self.reasons = reasons


class ReleaseNotFoundError(PerennialError):
    """No such release, or none at all for the task."""

    def __init__(self, task: str, version: str | None, known: list[str]) -> None:
        wanted = f"release {task}/{version}" if version else f"a release of task {task}"
        have = f"There are: {', '.join(known)}." if known else "There are none yet."
        super().__init__(f"Expected {wanted}; it does not exist. {have} Train one with `perennial train`.")


class ReleaseCorruptError(PerennialError):
    """A release whose files are not what its manifest says."""

    def __init__(self, task: str, version: str, problem: str) -> None:
        super().__init__(
            f"Release {task}/{version}: {problem} Publish it again with `perennial train`, "
            f"or roll back with `perennial releases rollback {task}`."
        )
        self.task = task
        self.version = version


class RolloutError(PerennialError):
    """A rollout file that is malformed, or a change to it that makes no sense."""


class RequestCorruptError(PerennialError):
    """A retrain request or its snapshot that does not match its checksums."""


class LogWriteError(PerennialError):
    """A record that could not be made durable, such as on a full disk."""


class SettingsError(PerennialError):
    """A setting (environment variable or option) with an unusable value."""

    def __init__(self, name: str, found: object, expected: str) -> None:
        super().__init__(f"Setting {name}: expected {expected}, found {found!r}. Correct it and start again.")
