"""`perennial status`: one page about every task of a home."""

from __future__ import annotations

import argparse
import os

from cli.console import add_common, print_json, print_line, print_table, when
from cli.releases import trial_states
from contracts.errors import PerennialError
from contracts.home import Home
from contracts.release_store import list_versions
from contracts.rollout import read_rollout
from contracts.verdict import Verdict, read_latest
from controller.record import read_decisions


def configure(parser: argparse.ArgumentParser) -> None:
    """Options of the verb."""
    add_common(parser, json_output=True)


def run(options: argparse.Namespace) -> int:
    """Reads files only: it works whether or not anything is running."""
    home = Home.from_environment(os.environ, options.home)
    rows = [_row(home, task) for task in home.tasks()]
    if options.json:
        print_json(rows)
    elif rows:
        columns = ("task", "stable", "tried", "releases", "verdict", "accuracy", "judged", "last decision")
        print_table(columns, [[row[column] for column in columns] for row in rows], right=("releases",))
    else:
        print_line(f"Nothing in {home.root} yet. Train a first release with `perennial train tasks/TASK.toml`.")
    return 0


def _row(home: Home, task: str) -> dict[str, str]:
    try:
        rollout = read_rollout(home, task)
        stable = rollout.stable if rollout else "none"
        tried = ", ".join(f"{version} {state}" for version, state in trial_states(rollout).items()) if rollout else ""
    except PerennialError:
        stable, tried = "rollout.json is malformed", ""
    verdict = read_latest(home, task)
    return {
        "task": task,
        "stable": stable,
        "tried": tried,
        "releases": str(len(list_versions(home, task))),
        "verdict": _verdict(verdict),
        "accuracy": _accuracy(verdict),
        "judged": when(verdict.evaluated) if verdict else "",
        "last decision": _last_decision(home, task),
    }


def _verdict(verdict: Verdict | None) -> str:
    if verdict is None:
        return "none yet"
    drifted = [found.name for found in verdict.detectors if found.verdict == "drift"]
    return (
        verdict.verdict + (f" ({', '.join(drifted)})" if drifted else "") + (", alerting" if verdict.alerting else "")
    )


def _accuracy(verdict: Verdict | None) -> str:
    if verdict is None or verdict.accuracy is None:
        return ""
    accuracy = verdict.accuracy
    if accuracy.measured is not None:
        return f"{accuracy.measured:.2f} of {accuracy.labelled} labelled (reference {accuracy.reference:.2f})"
    if accuracy.estimated is not None:
        return f"about {accuracy.estimated:.2f}, estimated (reference {accuracy.reference:.2f})"
    return f"reference {accuracy.reference:.2f}"


def _last_decision(home: Home, task: str) -> str:
    # That an alert is over says nothing of what was done about it.
    decisions = [decision for decision in read_decisions(home, task) if decision.kind != "resolved"]
    return f"{decisions[-1].action}: {decisions[-1].reason}" if decisions else ""
