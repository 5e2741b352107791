"""Virtual environments of the peers: made once, reused while their requirements stay the same."""

from __future__ import annotations

import hashlib
import json
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TextIO

from benchmarks.serving.peers.peer import Peer
from contracts.errors import PerennialError
from contracts.files import write_atomic

ENVIRONMENTS = Path(__file__).resolve().parents[1] / ".venvs"
_STAMP = "requirements.sha256"
_REASON_LINES = 3


class PeerUnavailableError(PerennialError):
    """A peer that cannot be had on this machine; `reason` is a line for the table of results."""

    def __init__(self, name: str, step: str, reason: str, log: Path) -> None:
        super().__init__(
            f"Peer {name}: {step} failed: {reason}. Its output is in {log}. The benchmark goes on without this peer; "
            "mend the cause and run it again to measure the peer as well."
        )
        self.name = name
        self.reason = f"{step} failed: {reason}"


def ensure(peer: Peer) -> Path:
    """The Python of the peer's environment, made anew when its requirements have changed or it is half made.

    Takes a minute or two and network access the first time; raises PeerUnavailableError.
    """
    folder = ENVIRONMENTS / peer.name
    python = folder / "bin" / "python"
    stamp = folder / _STAMP
    wanted = _digest(peer.requirements)
    if python.exists() and stamp.exists() and stamp.read_text(encoding="utf-8") == wanted:
        return python
    ENVIRONMENTS.mkdir(exist_ok=True)
    log = ENVIRONMENTS / f"{peer.name}.log"
    with log.open("w", encoding="utf-8") as output:
        for step, command in (
            ("making its environment", [sys.executable, "-m", "venv", "--clear", str(folder)]),
            ("pip install", [*_pip(python), "install", *peer.requirements]),
            ("pip check", [*_pip(python), "check"]),
        ):
            if not _run(command, output):
                raise PeerUnavailableError(peer.name, step, _reason(log), log)
    write_atomic(stamp, wanted.encode())
    return python


def installed(python: Path) -> dict[str, str]:
    """Every package in an environment and its version, for the results file."""
    listed = subprocess.run([*_pip(python), "list", "--format=json"], capture_output=True, text=True, check=True)
    return {str(package["name"]): str(package["version"]) for package in json.loads(listed.stdout)}


def _pip(python: Path) -> list[str]:
    return [str(python), "-m", "pip", "--disable-pip-version-check", "--no-input"]


def _digest(requirements: Sequence[str]) -> str:
    described = "\n".join((f"python {sys.version}", *requirements))
    return hashlib.sha256(described.encode()).hexdigest()


def _run(command: Sequence[str], output: TextIO) -> bool:
    """Whether the command succeeded; what it says goes to `output`."""
    output.write(f"$ {' '.join(command)}\n")
    output.flush()
    return subprocess.run(command, stdout=output, stderr=subprocess.STDOUT, check=False).returncode == 0


def _reason(log: Path) -> str:
    """The lines that name an error, or the last ones of the log."""
    lines = [line.strip() for line in log.read_text(encoding="utf-8", errors="replace").splitlines() if line.strip()]
    errors = [line for line in lines if line.startswith("ERROR:")]
    return " ".join((errors or lines)[-_REASON_LINES:])
