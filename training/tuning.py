"""The search for a recipe, from a task to the settings to put into it."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path

from rich.console import Console

from contracts.files import write_atomic
from contracts.home import Home
from contracts.task import TaskSpec
from training.progress import Progress
from training.recipes.search import STUDY_FILE, search, tried_of
from training.recipes.study_page import study_html
from training.recipes.study_section import TRIALS_FILE
from training.recipes.trial_settings import snippet
from training.recipes.trials import Tried, best_of, write_trials

SNIPPET_FILE = "best.toml"
PAGE_FILE = "study.html"


@dataclass(frozen=True)
class Tuned:
    """What a study has found so far. `score` names what the values are of, such as `accuracy`."""

    folder: Path
    score: str
    tried: tuple[Tried, ...]
    best: Tried | None

    @property
    def snippet(self) -> Path:
        """The best settings as TOML; there once a trial is complete."""
        return self.folder / SNIPPET_FILE

    @property
    def page(self) -> Path:
        """The study for people."""
        return self.folder / PAGE_FILE

    def content(self) -> dict[str, object]:
        """For machines."""
        return {
            "study": str(self.folder / STUDY_FILE),
            "page": str(self.page),
            "snippet": str(self.snippet) if self.best else None,
            "score": self.score,
            "best": asdict(self.best) if self.best else None,
            "trials": [asdict(one) for one in self.tried],
        }


def tune(home: Home, spec: TaskSpec, *, trials: int, minutes: float | None = None) -> Tuned:
    """Search until the study has so many ended trials or the time is over, and write down what it found.

    Raises a PerennialError for a task that cannot be trained.
    """
    progress = Progress(Console(stderr=True))
    found = search(home, spec, trials=trials, minutes=minutes, progress=progress)
    tried = tuple(tried_of(found.study))
    tuned = Tuned(found.folder, found.score, tried, best_of(tried))
    toml = ""
    if tuned.best is not None:
        value = f"{tuned.best.value or 0.0:.4f}"
        told = f"Trial {tuned.best.number} of {len(tried)}: validation {tuned.score} {value}."
        toml = snippet(tuned.best.settings, told)
        write_atomic(tuned.snippet, toml.encode())
    write_trials(tuned.folder / TRIALS_FILE, tuned.score, tried)
    write_atomic(tuned.page, study_html(spec.name, tuned.score, tried, toml).encode())
    return tuned
