"""What a person sees while training runs: one bar at a time on a terminal, plain lines elsewhere."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, TaskID, TextColumn, TimeElapsedColumn, TimeRemainingColumn
from rich.progress import Progress as Bars

_TITLE_WIDTH = 44  # so that the bars of all stages begin in one column


class Stage:
    """One piece of long work. Without a terminal it has no bar, only the lines it is told to print."""

    def __init__(self, console: Console, bars: Bars | None, bar: TaskID | None) -> None:
        self._console = console
        self._bars = bars
        self._bar = bar

    def expect(self, total: int) -> None:
        """Start the bar anew, with this many steps to come."""
        if self._bars is not None and self._bar is not None:
            self._bars.reset(self._bar, total=total)

    def advance(self, steps: int = 1) -> None:
        """So many steps more are done."""
        if self._bars is not None and self._bar is not None:
            self._bars.advance(self._bar, steps)

    def line(self, text: str) -> None:
        """Print a line that stays, above the bar where there is one."""
        # In a file, a line stays one line: paths in it can be searched for and copied.
        whole = not self._console.is_terminal
        self._console.print(f"  {text}", highlight=False, markup=False, soft_wrap=whole)


class Progress:
    """The stages of one run and the seconds that each took."""

    def __init__(self, console: Console, clock: Callable[[], float] = time.perf_counter) -> None:
        self.seconds: dict[str, float] = {}
        self._console = console
        self._clock = clock

    def line(self, text: str) -> None:
        """Print a line that stays, between two stages."""
        Stage(self._console, None, None).line(text)

    @contextmanager
    def stage(self, name: str, title: str) -> Iterator[Stage]:
        """Do the work of one stage; its seconds are added to `seconds[name]` whether it succeeds or fails."""
        started = self._clock()
        try:
            if self._console.is_terminal:
                columns = (
                    TextColumn("{task.description}"),
                    BarColumn(),
                    MofNCompleteColumn(),
                    TimeElapsedColumn(),
                    TimeRemainingColumn(),
                )
                with Bars(*columns, console=self._console) as bars:
                    bar = bars.add_task(f"{title:<{_TITLE_WIDTH}}", total=None)
                    yield Stage(self._console, bars, bar)
                    task = bars.tasks[0]
                    bars.update(bar, total=task.total or 1, completed=task.total or 1)
            else:
                self._console.print(f"{title} ...", highlight=False, markup=False)
                yield Stage(self._console, None, None)
        finally:
            self.seconds[name] = self.seconds.get(name, 0.0) + self._clock() - started
