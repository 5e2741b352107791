"""`perennial status`: one page about every task of a home."""

from __future__ import annotations

import argparse
import os
from dataclasses import dataclass

from cli.console import add_common, print_json, print_line, print_table, when
from cli.releases import trial_states
from contracts.errors import PerennialError
from contracts.home import Home
from contracts.release_store import list_versions
from contracts.rollout import Rollout, read_rollout
from contracts.verdict import Verdict, read_latest
from controller.record import DecisionRecord, read_decisions


def configure(parser: argparse.ArgumentParser) -> None:
    """Options of the verb."""
    add_common(parser, json_output=True)


def run(options: argparse.Namespace) -> int:
    """Reads files only: it works whether or not anything is running."""
    home = Home.from_environment(os.environ, options.home)
    found = [_found(home, task) for task in home.tasks()]
    if options.json:
        print_json([_for_machines(one) for one in found])
    elif found:
        columns = ("task", "stable", "tried", "releases", "verdict", "accuracy", "judged", "last decision")
        print_table(columns, [_cells(one) for one in found], right=("releases",))
    else:
        print_line(f"Nothing in {home.root} yet. Train a first release with `perennial train tasks/TASK.toml`.")
    return 0


@dataclass(frozen=True)
class _Found:
    """What the files of one task say."""

    task: str
    rollout: Rollout | None
    malformed: bool  # whether rollout.json is
    releases: int
    verdict: Verdict | None
    decision: DecisionRecord | None


def _found(home: Home, task: str) -> _Found:
    try:
        rollout, malformed = read_rollout(home, task), False
    except PerennialError:
        rollout, malformed = None, True
    # That an alert is over, or is dealt with already, says nothing of what was done about it.
    decisions = [one for one in read_decisions(home, task) if one.kind not in ("resolved", "duplicate")]
    releases = len(list_versions(home, task))
    return _Found(task, rollout, malformed, releases, read_latest(home, task), decisions[-1] if decisions else None)


def _for_machines(found: _Found) -> dict[str, object]:
    """The rollout, the verdict and the decision as their files have them; null: there is none."""
    contracts = {"rollout": found.rollout, "verdict": found.verdict, "last_decision": found.decision}
    return {
        "task": found.task,
        "releases": found.releases,
        "rollout_malformed": found.malformed,
        **{name: one.model_dump(mode="json") if one is not None else None for name, one in contracts.items()},
    }


def _cells(found: _Found) -> list[str]:
    rollout, verdict, decision = found.rollout, found.verdict, found.decision
    stable = rollout.stable if rollout else "none"
    return [
        found.task,
        "rollout.json is malformed" if found.malformed else stable,
        ", ".join(f"{version} {state}" for version, state in trial_states(rollout).items()) if rollout else "",
        str(found.releases),
        _verdict(verdict),
        _accuracy(verdict),
        when(verdict.evaluated) if verdict else "",
        f"{decision.action}: {decision.reason}" if decision else "",
    ]


def _verdict(verdict: Verdict | None) -> str:
    if verdict is None:
        return "none yet"
    told = [found.name for found in verdict.detectors if found.verdict == "drift"]
    if verdict.verdict == "insufficient":
        told = [f"{verdict.rows} predictions so far"]
    return verdict.verdict + (f" ({', '.join(told)})" if told else "") + (", alerting" if verdict.alerting else "")


def _accuracy(verdict: Verdict | None) -> str:
    if verdict is None or verdict.accuracy is None:
        return ""
    accuracy = verdict.accuracy
    if accuracy.measured is not None:
        return f"{accuracy.measured:.2f} of {accuracy.labelled} labelled (reference {accuracy.reference:.2f})"
    if accuracy.estimated is not None:
        return f"about {accuracy.estimated:.2f}, estimated (reference {accuracy.reference:.2f})"
    return f"reference {accuracy.reference:.2f}"
