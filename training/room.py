"""A disk without room, told as what it is wherever it is met."""

from __future__ import annotations

import errno
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from contracts.errors import TrainingError

_NO_ROOM = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)


@contextmanager
def told_when_full(root: Path) -> Iterator[None]:
    """Raises TrainingError in place of an OSError that says that a disk, a quota or a file's limit is reached."""
    try:
        yield
    except OSError as error:
        if error.errno not in _NO_ROOM:
            raise
        where = f" while writing {error.filename}" if error.filename else ""
        raise TrainingError(
            f"There is no room left under {root} ({error.strerror}{where}). Nothing was published. Make room, or set "
            "PERENNIAL_HOME to a folder on another disk, and give the same command again: it goes on from its last "
            "checkpoint."
        ) from error
