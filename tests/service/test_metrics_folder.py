from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from service import metrics_folder as module
from service.metrics_folder import metrics_folder

HOLD = """
import sys
from pathlib import Path
from service import metrics_folder as module
module._SHARED_MEMORY = Path(sys.argv[1])
with module.metrics_folder() as folder:
    print(folder, flush=True)
    input()
"""


@pytest.fixture(autouse=True)
def memory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """In the place of the machine's own, where other services may have theirs."""
    monkeypatch.setattr(module, "_SHARED_MEMORY", tmp_path)
    return tmp_path


def long_ago(folder: Path) -> None:
    os.utime(folder, (time.time() - 3600,) * 2)


def test_what_a_killed_process_left_behind_is_removed_and_what_is_in_use_stays(memory: Path) -> None:
    folders = []
    for _ in range(2):
        process = subprocess.Popen(
            [sys.executable, "-c", HOLD, str(memory)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        assert process.stdout is not None
        folders.append((process, Path(process.stdout.readline().strip())))
    (killed, left), (living, used) = folders
    try:
        killed.send_signal(signal.SIGKILL)
        killed.wait()
        long_ago(left)
        long_ago(used)
        with metrics_folder() as own:
            assert sorted(memory.iterdir()) == sorted([used, Path(own)])
    finally:
        living.kill()
        living.communicate()
        killed.communicate()


def test_a_folder_that_is_being_made_and_what_is_another_s_stay(memory: Path) -> None:
    (memory / "perennial-metrics-new").mkdir()
    (memory / "something-else").mkdir()
    long_ago(memory / "something-else")
    with metrics_folder():
        assert (memory / "perennial-metrics-new").is_dir()
        assert (memory / "something-else").is_dir()
