"""`perennial tune`: search for the settings with which a task trains best."""

from __future__ import annotations

import argparse
import os
from pathlib import Path

from cli.console import add_common, print_fields, print_json
from contracts.errors import SettingsError
from contracts.home import Home
from contracts.task import load_task


def configure(parser: argparse.ArgumentParser) -> None:
    """Options of the verb."""
    parser.add_argument("task", type=Path, metavar="TASK.toml", help="the task file; its [search] says what to try")
    parser.add_argument("--trials", type=int, help="trials that the study shall have in all (default: of [search])")
    parser.add_argument("--minutes", type=float, help="start no trial after so many minutes")
    parser.epilog = (
        "Run it again to go on with a study, and several times at once, on one machine or on a shared home, to "
        "search in parallel."
    )
    add_common(parser, json_output=True)


def run(options: argparse.Namespace) -> int:
    """Tell the best settings, and where the snippet and the page are."""
    if options.trials is not None and options.trials < 1:
        raise SettingsError("--trials", options.trials, "a number from 1")
    if options.minutes is not None and not options.minutes > 0:
        raise SettingsError("--minutes", options.minutes, "a number above 0")
    home = Home.from_environment(os.environ, options.home)
    spec = load_task(options.task, os.environ)
    # Read when torch is first imported: threads that spin while they wait for each other are slower on a busy machine.
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    from training.tuning import tune

    found = tune(home, spec, trials=options.trials or spec.search.trials, minutes=options.minutes)
    if options.json:
        print_json(found.content())
        return 0
    best = found.best
    print_fields(
        {
            "trials": f"{len(found.tried)} ended, {sum(one.state == 'pruned' for one in found.tried)} of them early",
            "best": f"trial {best.number}: validation {found.score} {best.value or 0.0:.4f}"
            if best
            else "none is complete yet",
            "settings": str(found.snippet) if best else "",
            "page": str(found.page),
            "next": f"put the settings into {options.task}, then: perennial train {options.task}"
            if best
            else f"perennial tune {options.task}",
        }
    )
    return 0
