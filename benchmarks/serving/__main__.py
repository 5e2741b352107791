"""Serving speed beside the ceiling and other servers: `python -m benchmarks.serving`, or `make bench-serving`."""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import asdict
from operator import truediv
from pathlib import Path
from statistics import median

from benchmarks.results_file import print_figures, write_result
from benchmarks.serving.corpus import TASK, Corpus, make_corpus, publish_again, publish_no_op
from benchmarks.serving.environments import ENVIRONMENTS, PeerUnavailableError, installed
from benchmarks.serving.overload import OpenLoad, Swap, capacity, open_load, swap, swap_ratio
from benchmarks.serving.peers import PEERS
from benchmarks.serving.rounds import LOADS, Beside, Measured, Round, measure, medians, ratios, run_round
from benchmarks.serving.subject import Subject, peer_subject, perennial, running
from contracts.errors import PerennialError
from contracts.home import Home
from contracts.rollout import promote

_SHARES = (0.5, 0.8)
_PAST = 1.2
OURS = "perennial"


def main() -> int:
    """0 when everything was measured, whatever the figures are; 1 when Perennial could not be."""
    options = _options()
    try:
        with tempfile.TemporaryDirectory(prefix="perennial-bench-") as folder:
            home = Home(options.home or Path(folder) / "home")
            home.root.mkdir(parents=True, exist_ok=True)
            _run(home, Path(folder), options)
    except PerennialError as error:
        sys.stderr.write(f"error: {error}\n")
        return 1
    return 0


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Measure serving speed; fifty minutes with all peers.")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=2.0, help="of each load (default: 2)")
    parser.add_argument(
        "--peers", nargs="*", default=list(PEERS), choices=list(PEERS), metavar="NAME", help="default: all"
    )
    parser.add_argument(
        "--home", type=Path, help="where a release for the benchmark is kept or found (default: made anew)"
    )
    return parser.parse_args()


def _run(home: Home, folder: Path, options: argparse.Namespace) -> None:
    data = os.environ.get("PERENNIAL_DATA")
    corpus = make_corpus(home, Path(data) if data else None)
    promote(home, TASK, corpus.manifest.version, by="benchmark", reason="benchmark", now=time.time())
    peers, missing = _peers(options.peers, corpus)
    rounds: list[Round] = []
    for number in range(options.rounds):
        _say(f"round {number + 1} of {options.rounds}")
        rounds.append(run_round(number, [perennial(home), *peers], corpus, options.seconds, folder))
    _say("price of everything but the model")
    no_op = [one.cpu_ms for one in _no_op(corpus, folder, options)]
    _say("open-loop loads and swaps")
    loads, swaps = _overload(corpus, folder, options)
    figures = _figures(rounds, loads, swaps) | {"overhead_cpu_ms": median(no_op)}
    found = medians(rounds)
    _table(found, [one.ceiling.texts_per_second for one in _beside(rounds)])
    _open_table(loads, swaps)
    path = write_result(
        "serving",
        "make bench-serving",
        {name: round(value, 4) for name, value in figures.items()},
        {
            "texts": f"{len(corpus.short)} of {corpus.source}; mixed: {len(corpus.mixed)} of 5 to 256 tokens",
            "rounds": options.rounds,
            "seconds": options.seconds,
            "medians": {
                server: {load: _rounded(asdict(one)) for load, one in by.items()} for server, by in found.items()
            },
            "ceiling_ways": [one.ways for one in rounds],
            "beside_ceiling": [
                {name: _rounded(one) for name, one in asdict(beside).items()} for beside in _beside(rounds)
            ],
            "each_round": [
                {
                    server: {
                        load: {"per_second": round(one.per_second, 1), "p99_ms": round(one.p99_ms, 2)}
                        for load, one in by.items()
                    }
                    for server, by in each.loads.items()
                }
                for each in rounds
            ],
            "open_loop": [_rounded(asdict(one)) for one in loads],
            "swaps": [_rounded(asdict(one)) for one in swaps],
            "overhead_cpu_ms_each": [round(value, 4) for value in no_op],
            "peers": {
                peer.name: {
                    "version": installed(ENVIRONMENTS / peer.name / "bin" / "python"),
                    "tuning": asdict(PEERS[peer.name].tuning),
                    "notes": PEERS[peer.name].notes,
                }
                for peer in peers
            },
            "missing_peers": missing,
        },
    )
    print_figures(path)


def _peers(names: Sequence[str], corpus: Corpus) -> tuple[list[Subject], dict[str, str]]:
    found: list[Subject] = []
    missing: dict[str, str] = {}
    for name in names:
        _say(f"environment of {name}")
        try:
            found.append(peer_subject(PEERS[name], corpus.release))
        except PeerUnavailableError as error:
            sys.stderr.write(f"{error}\n")
            missing[name] = error.reason
    return found, missing


def _no_op(corpus: Corpus, folder: Path, options: argparse.Namespace) -> list[Measured]:
    home = Home(folder / "no-op-home")
    version = publish_no_op(corpus, home)
    promote(home, TASK, version, by="benchmark", reason="benchmark", now=time.time())
    with running(perennial(home), folder / "perennial.log") as found:
        return [measure(found, corpus.short, 64, options.seconds) for _ in range(options.rounds)]


def _overload(corpus: Corpus, folder: Path, options: argparse.Namespace) -> tuple[list[OpenLoad], list[Swap]]:
    loads: list[OpenLoad] = []
    swaps: list[Swap] = []
    other = publish_again(corpus)
    with running(perennial(corpus.home), folder / "perennial.log") as found:
        for _ in range(options.rounds):
            # Each time anew, and right before and after what is past capacity: machines that are shared change.
            full = capacity(found, corpus.short, options.seconds)
            loads += [open_load(found, corpus.short, share, full, 2 * options.seconds) for share in _SHARES]
            before = capacity(found, corpus.short, options.seconds)
            loads.append(open_load(found, corpus.short, _PAST, before, 2 * options.seconds))
            after = capacity(found, corpus.short, options.seconds)
            loads.append(OpenLoad(1.0, before, (before + after) / 2, 0, 0, 0.0, 0.0))
            for version in (other, corpus.manifest.version):
                full = capacity(found, corpus.short, options.seconds)
                swaps.append(swap(found, corpus, version, full))
    return loads, swaps


def _figures(rounds: Sequence[Round], loads: Sequence[OpenLoad], swaps: Sequence[Swap]) -> dict[str, float]:
    beside = _beside(rounds)
    figures = {
        "ceiling_ratio_c64": median(one.c64.per_second / one.ceiling.texts_per_second for one in beside),
        "ceiling_cpu_ratio_c64": median(one.ceiling.cpu_ms / one.c64.cpu_ms for one in beside),
        "latency_ratio_c1": median(one.c1.p50_ms / one.ceiling.one_text_ms for one in beside),
        "goodput_120_ratio": median(map(truediv, _answered(loads, _PAST), _answered(loads, 1.0))),
        "swap_p99_ratio": swap_ratio(swaps),
        "swap_failed": float(sum(one.failed for one in swaps)),
    }
    speed = {load: ratios(rounds, OURS, load, lambda one: one.per_second) for load in LOADS}
    delay = {load: ratios(rounds, OURS, load, lambda one: one.p99_ms) for load in LOADS}
    if len(rounds[0].loads) > 1:
        for load in ("c1", "c16", "c64"):
            figures[f"vs_best_peer_{load}"] = min(speed[load].values())
            figures[f"p99_vs_best_peer_{load}"] = 1 / max(delay[load].values())
        figures["mixed_vs_best_peer_c64"] = min(speed["mixed"].values())
        figures["mixed_p99_vs_best_peer_c64"] = 1 / max(delay["mixed"].values())
    if "bentoml" in rounds[0].loads:
        figures["vs_bentoml_c64"] = speed["c64"]["bentoml"]
    return figures


def _beside(rounds: Sequence[Round]) -> list[Beside]:
    return [beside for one in rounds for beside in one.beside]


def _answered(loads: Sequence[OpenLoad], share: float) -> list[float]:
    return [one.answered_per_second for one in loads if one.share == share]


def _table(found: dict[str, dict[str, Measured]], ceilings: Sequence[float]) -> None:
    print(f"\nmedians of the rounds; the ceiling: {median(ceilings):.0f} texts/s")
    heads = "".join(f"{load + ' texts/s':>15}{'p50 ms':>8}{'p99 ms':>8}{'CPU ms':>8}" for load in LOADS)
    print(f"{'server':<16}{heads}{'failed':>8}")
    for server, by in sorted(found.items(), key=lambda one: -one[1]["c64"].per_second):
        cells = "".join(
            f"{by[load].per_second:>15.0f}{by[load].p50_ms:>8.2f}{by[load].p99_ms:>8.2f}{by[load].cpu_ms:>8.3f}"
            for load in LOADS
        )
        print(f"{server:<16}{cells}{sum(one.failed for one in by.values()):>8}")


def _open_table(loads: Sequence[OpenLoad], swaps: Sequence[Swap]) -> None:
    print(f"\n{'share':>6}{'asked/s':>10}{'answered/s':>12}{'refused':>9}{'failed':>8}{'p50 ms':>8}{'p99 ms':>8}")
    for share in (*_SHARES, _PAST):
        each = [one for one in loads if one.share == share]
        print(
            f"{share:>6.0%}{median(one.asked_per_second for one in each):>10.0f}"
            f"{median(one.answered_per_second for one in each):>12.0f}{sum(one.refused for one in each):>9}"
            f"{sum(one.failed for one in each):>8}{median(one.p50_ms for one in each):>8.1f}"
            f"{median(one.p99_ms for one in each):>8.1f}"
        )
    before, during = (median(getattr(one, name) for one in swaps) for name in ("p99_before_ms", "p99_during_ms"))
    print(
        f"swap at 70 %: p99 {before:.1f} ms before, {during:.1f} ms during; {sum(one.failed for one in swaps)} failed\n"
    )


def _rounded(found: dict[str, object]) -> dict[str, object]:
    return {name: round(value, 3) if isinstance(value, float) else value for name, value in found.items()}


def _say(what: str) -> None:
    print(f"{time.strftime('%H:%M:%S')}  {what}", flush=True)


if __name__ == "__main__":
    sys.exit(main())
