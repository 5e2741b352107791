"""Rounds of closed-loop loads: every server in turn, in another order each round, and the ceiling in each."""

from __future__ import annotations

import json
import random
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import median

from benchmarks.serving.ceiling import Ceiling
from benchmarks.serving.corpus import Corpus
from benchmarks.serving.peers.peer import CHECKOUT
from benchmarks.serving.subject import Running, Subject, SubjectError, running

# Name of a load -> connections, and which texts.
LOADS = {"c1": (1, "short"), "c16": (16, "short"), "c64": (64, "short"), "mixed": (64, "mixed")}
# Of this many texts the answer must be the release's own, but for one that may stand between two labels.
_CHECKED = 40
_LEAST_RIGHT = 0.975


@dataclass(frozen=True)
class Measured:
    """One load on one server."""

    per_second: float
    p50_ms: float
    p99_ms: float
    cpu_ms: float  # of the server, a request
    failed: int


@dataclass(frozen=True)
class Round:
    """One turn of everything."""

    ceiling: Ceiling
    loads: dict[str, dict[str, Measured]]  # server -> load -> what was measured


def run_round(number: int, subjects: Sequence[Subject], corpus: Corpus, seconds: float, logs: Path) -> Round:
    """Each server is started, warmed, loaded in four ways and stopped; only one lives at a time."""
    order = list(subjects)
    random.Random(number).shuffle(order)
    if number % 2:
        order.reverse()
    expected: list[str] = []
    ceiling = in_process(corpus)
    loads: dict[str, dict[str, Measured]] = {}
    for subject in order:
        with running(subject, logs / f"{subject.name}.log") as found:
            if number == 0:
                labels = [found.answer(text) for text in corpus.short[:_CHECKED]]
                expected = expected or labels
                _check(subject.name, labels, expected)
            loads[subject.name] = {
                name: measure(found, corpus.short if texts == "short" else corpus.mixed, concurrency, seconds)
                for name, (concurrency, texts) in LOADS.items()
            }
    return Round(ceiling, loads)


def measure(found: Running, texts: Sequence[str], concurrency: int, seconds: float) -> Measured:
    """One closed-loop load."""
    result, cpu = found.load(found.plan(texts, concurrency, seconds))
    failed = sum(count for status, count in result.statuses.items() if status != "200")
    return Measured(result.per_second, result.quantile_ms(0.5), result.quantile_ms(0.99), cpu, failed)


def in_process(corpus: Corpus) -> Ceiling:
    """The ceiling, in a process of its own."""
    command = [sys.executable, "-m", "benchmarks.serving.ceiling", str(corpus.release)]
    done = subprocess.run(
        command, input=json.dumps(corpus.short), capture_output=True, text=True, cwd=CHECKOUT, check=True
    )
    return Ceiling(**json.loads(done.stdout))


def medians(rounds: Sequence[Round]) -> dict[str, dict[str, Measured]]:
    """Of every figure of every load of every server."""
    return {
        server: {
            load: Measured(
                **{
                    name: type(value)(median(getattr(one.loads[server][load], name) for one in rounds))
                    for name, value in asdict(rounds[0].loads[server][load]).items()
                }
            )
            for load in LOADS
        }
        for server in rounds[0].loads
    }


def _check(name: str, labels: Sequence[str], expected: Sequence[str]) -> None:
    right = sum(found == wanted for found, wanted in zip(labels, expected, strict=True)) / len(labels)
    if right < _LEAST_RIGHT:
        raise SubjectError(f"{name} answers {right:.0%} of {len(labels)} texts as the other servers do.")
