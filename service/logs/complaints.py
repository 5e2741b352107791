"""What keeps a log from being written, told as often as is of use: at once, then once a minute, and when it is over."""

from __future__ import annotations

import logging
import math
import threading
import time
from dataclasses import dataclass

logger = logging.getLogger(__name__)

COMPLAIN_SECONDS = 60.0


@dataclass
class _Trouble:
    """What is known of one task."""

    problem: str | None = None
    told: bool = False  # whether the last line said that there is a problem
    told_at: float = -math.inf  # monotonic
    lost: int = 0  # since then


class Complaints:
    """Those of one log, of each task by itself: one that is written says nothing of another. For several threads."""

    def __init__(self, log: str, losses: str) -> None:
        """`log` and `losses` are parts of the lines, such as "The prediction log" and "records were lost"."""
        self._log = log
        self._losses = losses
        self._lock = threading.Lock()
        self._troubles: dict[str, _Trouble] = {}

    def problem(self, task: str) -> str | None:
        """What keeps this task's log from being written, if anything does."""
        trouble = self._troubles.get(task)
        return trouble.problem if trouble is not None else None

    def tell(self, task: str, problem: str, lost: int) -> None:
        """Something could not be written; a line says so unless one did a short while ago."""
        now = time.monotonic()
        with self._lock:
            trouble = self._troubles.setdefault(task, _Trouble())
            trouble.problem = problem
            trouble.lost += lost
            passed, losses = now - trouble.told_at, trouble.lost
            if passed < COMPLAIN_SECONDS:
                return
            trouble.told, trouble.told_at, trouble.lost = True, now, 0
        when = "just now" if passed == math.inf else f"in the last {passed:.0f} s"
        logger.error("%s %d %s %s.", problem, losses, self._losses, when)

    def over(self, task: str) -> None:
        """Something was written. What comes and goes many times a minute is told once of each."""
        # Nearly always there is nothing to say, and a lock would cost more than the look.
        if self.problem(task) is None:
            return
        with self._lock:
            trouble = self._troubles[task]
            told, losses = trouble.told, trouble.lost
            trouble.problem, trouble.told = None, False
            if told:
                trouble.lost = 0
        if told:
            logger.warning(
                "%s of task %s is written again; %d %s since it was told.", self._log, task, losses, self._losses
            )
