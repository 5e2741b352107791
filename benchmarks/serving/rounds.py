"""Rounds of closed-loop loads: under each load every server in turn, and the ceiling in each round."""

from __future__ import annotations

import json
import math
import random
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import median
from typing import IO, Any, cast

from benchmarks.serving.ceiling import CeilingTurn
from benchmarks.serving.corpus import Corpus
from benchmarks.serving.load import LoadResult, quantile
from benchmarks.serving.peers.peer import CHECKOUT
from benchmarks.serving.subject import Running, Subject, SubjectError, running

# Name of a load -> connections, and which texts.
LOADS = {"c1": (1, "short"), "c16": (16, "short"), "c64": (64, "short"), "mixed": (64, "mixed")}
# Of this many texts the answer must be the release's own, but for one that may stand between two labels.
_CHECKED = 40
_LEAST_RIGHT = 0.975
# Of each server under each load in a round: what a shared machine does within a minute meets all of them.
_TURNS = 2
# Of the ceiling and the first server, in a round.
_CEILING_TURNS = 3

Turn = tuple[LoadResult, float]  # and the server's milliseconds of CPU a request


@dataclass(frozen=True)
class Measured:
    """One load on one server."""

    per_second: float
    p50_ms: float
    p99_ms: float
    cpu_ms: float  # of the server, a request
    failed: int


@dataclass(frozen=True)
class Beside:
    """The first server beside the ceiling, one right after the other, while no other server is up."""

    ceiling: CeilingTurn
    c1: Measured
    c64: Measured


@dataclass(frozen=True)
class Round:
    """One turn of everything."""

    ways: dict[str, str]  # of the ceiling, that were best
    beside: list[Beside]
    loads: dict[str, dict[str, Measured]]  # server -> load -> what was measured


def run_round(number: int, subjects: Sequence[Subject], corpus: Corpus, seconds: float, logs: Path) -> Round:
    """The ceiling and the first server take turns; then all servers are up, and take turns under each load.

    The order is another each time, and who is not asked is paused. So those that are compared are measured within a
    minute of each other, since a shared machine changes from one minute to the next.
    """
    randomness = random.Random(number)
    ways, beside = _beside_ceiling(subjects[0], corpus, seconds, logs)
    turns: dict[tuple[str, str], list[Turn]] = {}
    with ExitStack() as stack:
        up = [stack.enter_context(running(subject, logs / f"{subject.name}.log")) for subject in subjects]
        if number == 0:
            _check(up, corpus.short[:_CHECKED])
        for found in up:
            found.pause()
        for load in LOADS:
            for _ in range(_TURNS):
                for found in randomness.sample(up, len(up)):
                    with found.asked():
                        turns.setdefault((found.subject.name, load), []).append(_turn(found, corpus, load, seconds))
    loads = {one.name: {load: together(turns[one.name, load]) for load in LOADS} for one in subjects}
    return Round(ways, beside, loads)


def _beside_ceiling(
    subject: Subject, corpus: Corpus, seconds: float, logs: Path
) -> tuple[dict[str, str], list[Beside]]:
    with _in_process(corpus) as (ways, ceiling), running(subject, logs / f"{subject.name}.log") as found:
        found.pause()

        def ours() -> dict[str, Measured]:
            with found.asked():
                return {load: together([_turn(found, corpus, load, seconds)]) for load in ("c1", "c64")}

        beside: list[Beside] = []
        for number in range(_CEILING_TURNS):
            measured = ours() if number % 2 else {}
            most = ceiling()
            measured = measured or ours()
            beside.append(Beside(most, **measured))
        return ways, beside


def _turn(found: Running, corpus: Corpus, load: str, seconds: float) -> Turn:
    concurrency, texts = LOADS[load]
    return found.load(found.plan(corpus.short if texts == "short" else corpus.mixed, concurrency, seconds))


def measure(found: Running, texts: Sequence[str], concurrency: int, seconds: float) -> Measured:
    """One closed-loop load."""
    return together([found.load(found.plan(texts, concurrency, seconds))])


def together(turns: Sequence[Turn]) -> Measured:
    """What several turns of one server under one load found, as if they had been one."""
    results = [result for result, _ in turns]
    latencies = sorted(latency for result in results for latency in result.latencies_ms)
    seconds, completed = sum(one.seconds for one in results), sum(one.completed for one in results)
    cpu = sum(milliseconds * one.completed for one, milliseconds in turns) / max(1, completed)
    failed = sum(count for one in results for status, count in one.statuses.items() if status != "200")
    return Measured(len(latencies) / seconds, quantile(latencies, 0.5), quantile(latencies, 0.99), cpu, failed)


@contextmanager
def _in_process(corpus: Corpus) -> Iterator[tuple[dict[str, str], Callable[[], CeilingTurn]]]:
    """The ceiling, in a process of its own that does nothing between its turns: its best ways, and a turn."""
    command = [sys.executable, "-m", "benchmarks.serving.ceiling", str(corpus.release)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=CHECKOUT) as process:
        asked, told = cast(IO[str], process.stdin), cast(IO[str], process.stdout)

        def ask(line: str) -> dict[str, Any]:
            asked.write(f"{line}\n")
            asked.flush()
            answer = told.readline()
            if not answer:
                raise SubjectError("The ceiling ended before it was told to; see its output above.")
            found: dict[str, Any] = json.loads(answer)
            return found

        yield ask(json.dumps(corpus.short)), lambda: CeilingTurn(**ask("turn"))


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


def ratios(rounds: Sequence[Round], server: str, load: str, figure: Callable[[Measured], float]) -> dict[str, float]:
    """This server's figure over each other's (infinite over 0), the median of the rounds."""
    ours = [figure(one.loads[server][load]) for one in rounds]
    return {
        other: median(
            own / theirs if (theirs := figure(one.loads[other][load])) else math.inf
            for own, one in zip(ours, rounds, strict=True)
        )
        for other in rounds[0].loads
        if other != server
    }


def _check(servers: Sequence[Running], texts: Sequence[str]) -> None:
    expected: list[str] = []
    for found in servers:
        labels = [found.answer(text) for text in texts]
        expected = expected or labels
        right = sum(one == wanted for one, wanted in zip(labels, expected, strict=True)) / len(labels)
        if right < _LEAST_RIGHT:
            raise SubjectError(f"{found.subject.name} answers {right:.0%} of {len(labels)} texts as the others do.")
