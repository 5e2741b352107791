"""Searching for a recipe: trials of one study, drawn by TPE, the poor ones stopped after an epoch.

A study lives in a SQLite file under the home. It is gone on with when the command is run again, and several processes
that run it at once work on the same study. TPE: Bergstra et al. 2011, "Algorithms for hyper-parameter optimization".
"""

from __future__ import annotations

import hashlib
import tempfile
import time
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
import optuna
from optuna.exceptions import ExperimentalWarning
from optuna.storages import RDBStorage
from optuna.trial import TrialState

from contracts.errors import TrainingError
from contracts.files import locked, make_folder
from contracts.home import Home
from contracts.task import PruneSpec, TaskSpec
from training.artefact.tokenizer import write_tokenizer
from training.data.dataset import Dataset, load_dataset
from training.feasibility import check_feasible
from training.kinds.kinds import kind_of
from training.learning.base_model import BaseModel
from training.learning.classifier import layer_count
from training.learning.learn import learn
from training.learning.lesson import Epoch, best_epoch
from training.progress import Progress
from training.recipes.search_space import drawn
from training.recipes.trial_settings import applied
from training.recipes.trials import Tried

STUDY_FILE = "study.sqlite3"
_SCORE = "score"
_STATES: dict[TrialState, Literal["complete", "pruned", "failed"]] = {
    TrialState.COMPLETE: "complete",
    TrialState.PRUNED: "pruned",
    TrialState.FAIL: "failed",
}
_BEAT_SECONDS = 30  # a trial whose process has not been heard of for four times as long has failed
_LOCKED_SECONDS = 60  # that SQLite waits for another process that writes
_TOKENIZER_SAMPLE = 256


@dataclass(frozen=True)
class Search:
    """Where a study is, and what has been tried so far, by any process and at any time."""

    folder: Path
    study: optuna.Study

    @property
    def score(self) -> str:
        """What the trials' values are of, such as `accuracy`."""
        return str(self.study.user_attrs.get(_SCORE, "score"))


def search(
    home: Home,
    spec: TaskSpec,
    *,
    trials: int,
    minutes: float | None,
    progress: Progress,
    clock: Callable[[], float] = time.monotonic,
) -> Search:
    """Try settings until the study has `trials` ended trials, or no new one may start after `minutes`.

    A trial's value is the best validation score of its epochs. Raises a PerennialError for what cannot be trained.
    """
    base = check_feasible(spec)
    with progress.stage("data", "Reading the data") as stage:
        dataset = load_dataset(spec)
        stage.line(f"{len(dataset.train)} training and {len(dataset.validation)} validation")
    folder = home.root / "studies" / spec.name
    make_folder(folder)
    found = Search(folder, _open_study(folder, spec, base, dataset))
    ended = _count_ended(found.study)
    if ended:
        progress.line(f"the study goes on: {ended} trials have ended")
    deadline = None if minutes is None else clock() + 60 * minutes
    trial_of = _Trials(spec, base, dataset, progress)
    while _count_ended(found.study) < trials and (deadline is None or clock() < deadline):
        # A rate that is too high is a finding, not the end of the search.
        found.study.optimize(trial_of, n_trials=1, catch=(TrainingError,))
    return found


class _Trials:
    """Runs one trial when it is called; the data is read once."""

    def __init__(self, spec: TaskSpec, base: BaseModel, dataset: Dataset, progress: Progress) -> None:
        # What the weights are pruned to afterwards takes as long to learn again, whatever they were.
        self._spec = spec.model_copy(update={"prune": PruneSpec()})
        self._base = base
        self._dataset = dataset
        self._progress = progress

    def __call__(self, trial: optuna.Trial) -> float:
        spec = self._spec
        # By the trial's number: a study that is gone on with, or two processes, must not draw the same again.
        seed = int(np.random.SeedSequence((spec.train.seed, trial.number)).generate_state(1, np.uint32)[0])
        trial.study.sampler = optuna.samplers.TPESampler(
            seed=seed, n_startup_trials=spec.search.startup_trials, constant_liar=True
        )
        chosen = drawn(trial, spec, layer_count(self._base))
        tried = applied(spec, chosen)
        self._progress.line(f"trial {trial.number}: {', '.join(f'{name} {value:g}' for name, value in chosen.items())}")

        def watch(epoch: Epoch) -> None:
            trial.report(epoch.validation_score, epoch.number)
            if epoch.number < tried.train.epochs and trial.should_prune():
                self._progress.line(f"trial {trial.number}: stopped after epoch {epoch.number}, others were better")
                raise optuna.TrialPruned

        with tempfile.TemporaryDirectory(prefix="perennial-trial-") as name:
            folder = Path(name)
            sample = kind_of(spec).texts(self._dataset.train[:_TOKENIZER_SAMPLE])
            tokenizer = write_tokenizer(self._base, folder / "tokenizer.json", sample=sample, clean=spec.clean)
            try:
                learned = learn(
                    tried, self._base, self._dataset, tokenizer, folder=folder, progress=self._progress, watch=watch
                )
            except TrainingError as error:
                trial.set_user_attr("error", str(error))
                raise
        trial.study.set_user_attr(_SCORE, learned.model.objective.score_name)
        best = best_epoch(learned.epochs)
        trial.set_user_attr("best_epoch", best.number)
        return best.validation_score


def _open_study(folder: Path, spec: TaskSpec, base: BaseModel, dataset: Dataset) -> optuna.Study:
    """The study of this task, these data and this search space; another one beside it when any of them changed."""
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    space = spec.search
    decisive = spec.model_dump(
        mode="json",
        exclude={"schema_number", "data", "gate", "limits", "monitor", "retrain", "prune", "search"},
    )
    ranges = space.model_dump(mode="json", exclude={"trials", "startup_trials", "pruner"})
    told = repr((sorted(decisive.items()), sorted(ranges.items()), base.sha256, dataset.fingerprint))
    pruners = {
        "median": optuna.pruners.MedianPruner(n_startup_trials=space.startup_trials),
        "hyperband": optuna.pruners.HyperbandPruner(min_resource=1, max_resource=space.epochs[1], reduction_factor=3),
        "none": optuna.pruners.NopPruner(),
    }
    # Two processes that start at once would both make the tables.
    with locked(folder / ".lock"), warnings.catch_warnings():
        # Heartbeats are what tells a killed process from a slow one; the version that they come with is pinned.
        warnings.simplefilter("ignore", ExperimentalWarning)
        storage = RDBStorage(
            f"sqlite:///{folder / STUDY_FILE}",
            engine_kwargs={"connect_args": {"timeout": _LOCKED_SECONDS}},
            heartbeat_interval=_BEAT_SECONDS,
            grace_period=4 * _BEAT_SECONDS,
        )
        return optuna.create_study(
            study_name=hashlib.sha256(told.encode()).hexdigest()[:16],
            storage=storage,
            direction="maximize",
            pruner=pruners[space.pruner],
            load_if_exists=True,
        )


def _count_ended(study: optuna.Study) -> int:
    return sum(trial.state in _STATES for trial in study.get_trials(deepcopy=False))


def tried_of(study: optuna.Study) -> list[Tried]:
    """The trials that have ended, by number."""
    return [_tried(trial) for trial in study.get_trials(deepcopy=False) if trial.state in _STATES]


def _tried(trial: optuna.trial.FrozenTrial) -> Tried:
    scores = tuple(value for _, value in sorted(trial.intermediate_values.items()))
    taken = trial.duration
    return Tried(
        number=trial.number,
        state=_STATES[trial.state],
        value=trial.value if trial.value is not None else (scores[-1] if scores else None),
        settings=dict(trial.params),
        scores=scores,
        seconds=taken.total_seconds() if taken is not None else 0.0,
        error=trial.user_attrs.get("error"),
    )
