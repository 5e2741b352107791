"""What a training learns from: which rows of its data set, and which unlabelled text before them."""

from __future__ import annotations

from dataclasses import dataclass, replace

from contracts.home import Home
from contracts.task import TaskSpec
from training.data.dataset import Dataset
from training.evaluation.compare import Succession
from training.kinds.kinds import kind_of
from training.learning.group import current_group
from training.progress import Progress
from training.recipes.unlabelled import read_unlabelled


@dataclass(frozen=True)
class Preparation:
    """`dataset` lacks the old rows that are not replayed; the release names the whole one, for its successors."""

    dataset: Dataset
    unlabelled: tuple[str, ...] = ()


def prepare(
    home: Home, spec: TaskSpec, dataset: Dataset, succession: Succession | None, progress: Progress
) -> Preparation:
    """Raises DataError for unlabelled text that cannot be read."""
    replayed = succession.train if succession else None
    learned = dataset if replayed is None else replace(dataset, train=replayed)
    if spec.adapt is None:
        return Preparation(learned)
    with progress.stage("unlabelled", f"Reading unlabelled text ({spec.adapt.source})") as stage:
        group, kind = current_group(), kind_of(spec)
        measured = [*dataset.validation, *dataset.test, *(succession.holdout if succession else ())]
        # A log grows: what one process reads is what all of them learn from.
        texts = group.share(
            read_unlabelled(
                spec.adapt,
                home,
                spec.name,
                train=kind.texts(learned.train),
                held_out=set(kind.texts(measured)),
                snapshot=succession.unlabelled if succession else None,
            )
            if group.leads
            else None
        )
        if texts:
            stage.line(f"{len(texts)} texts to adapt to")
        else:
            stage.line(
                f"fewer than {spec.adapt.min_texts} texts were logged: training starts from the base model as it is"
            )
    return Preparation(learned, tuple(texts))
