"""Where a training keeps its checkpoints, and for how long."""

from __future__ import annotations

import io
import os
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Event

import pytest
from rich.console import Console

from contracts.files import is_locked
from contracts.home import Home
from training import checkpoints
from training.checkpoints import kept_until_published
from training.progress import Progress

DAY = 24 * 3600.0


@pytest.fixture
def printed() -> io.StringIO:
    return io.StringIO()


@pytest.fixture
def progress(printed: io.StringIO) -> Progress:
    return Progress(Console(file=printed, width=200))


def names(home: Home) -> list[str]:
    return sorted(path.name for path in home.training("support").iterdir())


def test_a_failure_leaves_the_folder_and_success_nothing(home: Home, progress: Progress) -> None:
    def fail() -> None:
        with kept_until_published(home, "support", "key", progress) as folder:
            (folder / "checkpoint").touch()
            raise KeyError

    with pytest.raises(KeyError):
        fail()
    with kept_until_published(home, "support", "key", progress) as folder:
        assert (folder / "checkpoint").is_file()
    assert names(home) == []


def test_the_same_training_waits_for_the_first_and_says_so(
    home: Home, progress: Progress, printed: io.StringIO
) -> None:
    began, may_end = Event(), Event()
    held: list[Path] = []

    def first() -> None:
        with kept_until_published(home, "support", "key", progress) as folder:
            held.append(folder)
            began.set()
            assert may_end.wait(30)
            (folder / "last").touch()

    def second() -> bool:
        with kept_until_published(home, "support", "key", progress) as folder:
            return may_end.is_set() and not (folder / "last").exists()

    with ThreadPoolExecutor(2) as pool:
        one = pool.submit(first)
        assert began.wait(30)
        with kept_until_published(home, "support", "another", progress) as folder:
            assert folder not in held
        assert "another process" not in printed.getvalue()
        other = pool.submit(second)
        until = time.monotonic() + 30
        while "another process is at this very training" not in printed.getvalue() and time.monotonic() < until:
            time.sleep(0.005)
        may_end.set()
        one.result()
        assert other.result()
    assert "waiting until it ends" in printed.getvalue()
    assert names(home) == []


def test_what_nobody_came_back_to_is_removed_after_a_week(home: Home, progress: Progress) -> None:
    for name, days in (("old", 8), ("young", 6)):
        folder = home.training("support") / name
        folder.mkdir(parents=True)
        folder.with_name(f"{name}.lock").touch()
        os.utime(folder, (time.time() - days * DAY,) * 2)
    with kept_until_published(home, "support", "key", progress):
        assert names(home) == ["key", "key.lock", "young", "young.lock"]


def test_a_folder_that_goes_while_it_is_looked_at_disturbs_nobody(
    home: Home, progress: Progress, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = home.training("support") / "other"
    other.mkdir(parents=True)

    def ends_just_now(lock: Path) -> bool:
        if lock.name == "other.lock":
            other.rmdir()
        return is_locked(lock)

    monkeypatch.setattr(checkpoints, "is_locked", ends_just_now)
    with kept_until_published(home, "support", "key", progress):
        assert names(home) == ["key", "key.lock"]
