"""The candidate against the champion it is to replace, text by text, both as deployed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from contracts.home import Home
from contracts.release import Comparison, Manifest, PairedOutcome
from training.artefact.onnx_artefact import Artefact
from training.data.dataset import Dataset
from training.data.rows import Row
from training.kinds.kind import TaskKind
from training.progress import Stage


@dataclass(frozen=True)
class Succession:
    """What makes a training a retraining: the champion, and fresh texts that neither model has trained on."""

    champion: Manifest
    request_id: str
    holdout: tuple[Row, ...]
    drifted: tuple[Row, ...]  # those of the holdout that came since the drift began
    train: tuple[Row, ...] | None = None  # what is learned from, where not from all training rows
    unlabelled: tuple[str, ...] = ()  # what production sent and nobody labelled


def compare(
    home: Home,
    succession: Succession,
    candidate: Artefact,
    kind: TaskKind,
    dataset: Dataset,
    stage: Stage,
    *,
    threads: int,
) -> Comparison:
    """Both artefacts over the old test rows and over the fresh holdout; the data set is the candidate's."""
    champion = succession.champion
    folder = home.release(champion.task, champion.version)
    deployed = Artefact.of_release(folder, champion.max_tokens, threads=threads)
    stage.expect(2 * (len(dataset.test) + len(succession.holdout)))
    outcomes = [
        paired_outcome(
            kind.truths(rows),
            kind.answers(deployed, champion.labels, rows, stage),
            kind.answers(candidate, kind.labels(dataset), rows, stage),
        )
        for rows in (dataset.test, succession.holdout)
    ]
    return Comparison(champion=champion.version, old_test=outcomes[0], fresh=outcomes[1])


def paired_outcome(truth: Sequence[str], champion: Sequence[str], candidate: Sequence[str]) -> PairedOutcome:
    """Count who was right where, by label name: the two may know different labels. Equal lengths, 0 allowed."""
    pairs = [(first == label, second == label) for label, first, second in zip(truth, champion, candidate, strict=True)]
    return PairedOutcome(
        both_right=pairs.count((True, True)),
        champion_only=pairs.count((True, False)),
        candidate_only=pairs.count((False, True)),
        both_wrong=pairs.count((False, False)),
    )
