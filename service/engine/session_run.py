"""One session run over a batch: what becomes of each of its texts."""

from __future__ import annotations

from service.engine.backlog import Batch, Placed
from service.errors import ModelOutputError


def outcomes_of(batch: Batch) -> list[Placed | Exception]:
    """What became of each text. Where a run fails, each text is tried alone: one must not spoil its neighbours."""
    release = batch.release
    try:
        rows = [one.ids for one in batch.texts]
        output = release.predict(rows, all_cores=batch.is_wide)
        return [Placed(output, row) for row in range(len(batch.texts))]
    except ModelOutputError as error:
        if len(batch.texts) == 1:
            return [error]
    found: list[Placed | Exception] = []
    for one in batch.texts:
        try:
            found.append(Placed(release.predict([one.ids]), 0))
        except ModelOutputError as error:
            found.append(error)
    return found
