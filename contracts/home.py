"""`PERENNIAL_HOME`: where each file that passes between the programs lies."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from contracts.errors import SettingsError

HOME_VARIABLE = "PERENNIAL_HOME"
DEFAULT_HOME = "perennial-home"


@dataclass(frozen=True)
class Home:
    """One root folder for everything that Perennial's programs share."""

    root: Path

    @classmethod
    def from_environment(cls, environment: Mapping[str, str], override: str | None = None) -> Home:
        """The folder named by `override`, else by PERENNIAL_HOME, else `perennial-home` where one stands.

        Raises SettingsError for a URL (object stores are not supported yet) and for a path that is no folder.
        """
        named = override or environment.get(HOME_VARIABLE) or DEFAULT_HOME
        if "://" in named:
            raise SettingsError(HOME_VARIABLE, named, "a folder (object-store URLs are not supported yet)")
        try:
            root = Path(named).expanduser().resolve()
            usable = root.is_dir() or not root.exists()
        except (OSError, RuntimeError, ValueError) as error:
            # A user without a home folder, a loop of links, a name that is too long or holds a NUL.
            raise SettingsError(HOME_VARIABLE, named, f"the path of a folder ({error})") from error
        if not usable:
            raise SettingsError(HOME_VARIABLE, named, "a folder, not a file")
        return cls(root)

    def releases(self, task: str) -> Path:
        """Folder of all releases of a task, one subfolder a version, with `rollout.json`."""
        return self.root / "releases" / task

    def release(self, task: str, version: str) -> Path:
        """Folder of one release."""
        return self.releases(task) / version

    def rollout(self, task: str) -> Path:
        """The file that says which release serves."""
        return self.releases(task) / "rollout.json"

    def dataset(self, task: str, fingerprint: str) -> Path:
        """Folder of the frozen `train.jsonl`, `validation.jsonl` and `test.jsonl` of a data fingerprint."""
        return self.root / "datasets" / task / fingerprint

    def training(self, task: str) -> Path:
        """Folder of the checkpoints of trainings under way or interrupted, one subfolder a training."""
        return self.root / "training" / task

    def predictions(self, task: str) -> Path:
        """Folder of the prediction log's segments."""
        return self.root / "log" / task / "predictions"

    def feedback(self, task: str) -> Path:
        """Folder of the feedback segments."""
        return self.root / "log" / task / "feedback"

    def monitoring(self, task: str) -> Path:
        """Folder of verdicts (`latest.json`, `verdicts.jsonl`) and of `reports/`."""
        return self.root / "monitoring" / task

    def requests(self, task: str) -> Path:
        """Folder of retrain requests, one subfolder a request."""
        return self.root / "requests" / task

    def controller(self) -> Path:
        """Folder of the controller's own append-only record."""
        return self.root / "controller"

    def service(self) -> Path:
        """Folder of what the service's workers share, such as the key that signs prediction ids."""
        return self.root / "service"

    def tasks(self) -> list[str]:
        """Names of the tasks that have a releases folder, sorted."""
        folder = self.root / "releases"
        if not folder.is_dir():
            return []
        return sorted(entry.name for entry in folder.iterdir() if entry.is_dir() and not entry.name.startswith("."))
