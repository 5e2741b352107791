"""The story that `make demo` tells, with real programs: train, serve, drift, retrain, promote, recover.

Run as `python -m demo.story`. Exits with 1, and says which step, when any part of the story did not happen.
"""

from __future__ import annotations

import argparse
import json
import shutil
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from rich.console import Console
from rich.table import Table
from rich.text import Text

from contracts.errors import PerennialError
from contracts.home import Home
from contracts.release import Manifest
from contracts.release_store import read_manifest
from contracts.rollout import read_rollout
from contracts.verdict import Verdict, read_latest
from demo.messages import english, hinglish, write_csv
from demo.programs import Perennial, StepFailedError, free_ports

TASK = "support"
_CHECKOUT = Path(__file__).resolve().parent.parent
TASK_FILE = _CHECKOUT / "tasks" / "support.toml"
HOME_FOLDER = _CHECKOUT / "demo-home"  # where the task file looks for its data
MARKER = ".made-by-perennial-demo"

TRAINING_ROWS = 3400
NORMAL_ROWS = 600
SHIFTED_ROWS = 1500
SHIFTED_FEEDBACK = 0.6
LATER_ROWS = 600


class Timeline:
    """What happened when, printed as it happens and again as one table at the end."""

    def __init__(self, console: Console) -> None:
        self.console = console
        self.started = time.monotonic()
        self.rows: list[tuple[str, str, str]] = []

    def say(self, step: str, found: str) -> None:
        """One event with its figure."""
        elapsed = time.monotonic() - self.started
        clock = f"{int(elapsed // 60)}:{int(elapsed % 60):02d}"
        self.rows.append((clock, step, found))
        self.console.print(Text.assemble((f"{clock:>5}  ", "dim"), (f"{step:<26}", "bold"), found))

    def table(self) -> Table:
        """All of it."""
        table = Table(title="What happened", title_style="bold", title_justify="left", box=None, pad_edge=False)
        for column in ("time", "step", "figure"):
            table.add_column(column, overflow="fold")
        for row in self.rows:
            table.add_row(*(Text(cell) for cell in row))
        return table


def main(argv: Sequence[str] | None = None) -> int:
    """Tell the story; 0 when every step of it happened."""
    parser = argparse.ArgumentParser(prog="python -m demo.story", description="The whole loop on sample data.")
    parser.parse_args(argv)
    console = Console(highlight=False, width=None if sys.stdout.isatty() else 120)
    timeline = Timeline(console)
    try:
        home = _fresh_home(HOME_FOLDER)
        tell(home, timeline)
    except PerennialError as error:
        console.print(Text.assemble(("The story broke off: ", "bold red"), str(error)))
        return 1
    console.print()
    console.print(timeline.table())
    console.print(_where_to_look(home))
    return 0


def tell(home: Home, timeline: Timeline) -> None:
    """The story from top to bottom. Raises StepFailedError at the first step that did not happen."""
    data = home.root / "data"
    write_csv(data / "support.csv", english(TRAINING_ROWS, seed=1))
    write_csv(data / "normal.csv", english(NORMAL_ROWS, seed=2))
    write_csv(data / "shifted.csv", hinglish(SHIFTED_ROWS, seed=3))
    write_csv(data / "later.csv", hinglish(LATER_ROWS, seed=4))
    timeline.say("Sample data made", f"{TRAINING_ROWS} customer messages in English, 8 intents")

    perennial = Perennial(home, *free_ports(3))
    perennial.run("train", str(TASK_FILE))
    champion = read_manifest(home, TASK, _stable(home))
    timeline.say("Trained and released", _release_line(champion))

    with perennial.up():
        timeline.say("Serving", f"{perennial.url}/v1/models/{TASK}:predict")
        before = perennial.replay(data / "normal.csv", feedback=0.5)
        windows = NORMAL_ROWS // champion.spec.monitor.window
        calm = perennial.wait(f"{windows} verdicts", lambda: _verdicts(home, windows, champion.version), seconds=60)
        _expect(calm[0].verdict == "ok" and not calm[-1].alerting, "normal traffic should be ok and raise no alert")
        words = ", ".join(f"{verdict.verdict} ({verdict.rows} predictions)" for verdict in calm)
        timeline.say("Normal traffic", f"accuracy {before:.3f}; verdicts: {words}")

        hurt = perennial.replay(data / "shifted.csv", feedback=SHIFTED_FEEDBACK)
        _expect(hurt < before - 0.1, f"accuracy should fall on the shifted traffic: {before:.3f} -> {hurt:.3f}")
        timeline.say("Customers write Hinglish", f"accuracy falls to {hurt:.3f}")
        alarm = perennial.wait("an alert of drift", lambda: _alarm(home, champion.version), seconds=60)
        timeline.say("Drift seen", _verdict_line(alarm))

        started = perennial.wait("a decision to retrain", lambda: _decision(home, "retrain"), seconds=60)
        log = home.requests(TASK) / str(started["request_id"]) / "job.log"
        timeline.say(
            "Retraining", f"{started['reason']} It takes two to ten minutes; to follow it: tail -f {_relative(log)}"
        )
        with timeline.console.status(Text("retraining ...")) as status:
            promoted = perennial.wait(
                "the successor's promotion",
                lambda: _decision(home, "promote"),
                seconds=1200,
                give_up=lambda: _against(home),
                meanwhile=lambda: status.update(Text(_last_line(log))),
            )
        timeline.say("Promoted", str(promoted["reason"]))
        successor = read_manifest(home, TASK, _stable(home))
        perennial.wait("the hot swap", lambda: perennial.served_version() == successor.version, seconds=30)
        timeline.say(
            "Hot-swapped", f"the service answers with release {successor.version}; no request was refused so far"
        )

        after = perennial.replay(data / "later.csv", feedback=0.0)
        calm = perennial.wait("verdicts on the successor", lambda: _verdicts(home, 2, successor.version), seconds=60)
        words = ", ".join(verdict.verdict for verdict in calm)
        timeline.say("More Hinglish", f"accuracy {hurt:.3f} -> {after:.3f}; verdicts: {words}")
        _expect(any(verdict.verdict == "ok" for verdict in calm), "what the successor learned should be no drift to it")
        _expect(after > hurt + 0.1, f"accuracy should be won back: {hurt:.3f} -> {after:.3f}")
        _expect(perennial.refused == 0, f"no request should fail; {perennial.refused} did")
        _check_old_test(successor, timeline)


def _check_old_test(successor: Manifest, timeline: Timeline) -> None:
    comparison = successor.comparison
    if comparison is None:
        raise StepFailedError("The successor should carry its comparison with the champion; it has none.")
    old = comparison.old_test
    allowed = successor.spec.retrain.max_old_loss
    _expect(
        old.candidate_accuracy >= old.champion_accuracy - allowed,
        f"nothing should be lost on the old test set: {old.champion_accuracy:.3f} -> {old.candidate_accuracy:.3f}",
    )
    timeline.say(
        "Old test set",
        f"accuracy {old.champion_accuracy:.3f} -> {old.candidate_accuracy:.3f} ({old.rows} English texts)",
    )


def _verdicts(home: Home, at_least: int, release: str) -> list[Verdict] | None:
    path = home.monitoring(TASK) / "verdicts.jsonl"
    if not path.is_file():
        return None
    found = [
        Verdict.model_validate_json(line) for line in path.read_bytes().splitlines(keepends=True) if line[-1:] == b"\n"
    ]
    of_release = [verdict for verdict in found if verdict.release == release]
    return of_release if len(of_release) >= at_least else None


def _alarm(home: Home, release: str) -> Verdict | None:
    verdict = read_latest(home, TASK)
    return verdict if verdict is not None and verdict.release == release and verdict.alerting else None


def _decision(home: Home, action: str) -> dict[str, object] | None:
    path = home.controller() / "decisions.jsonl"
    if not path.is_file():
        return None
    for line in path.read_text(encoding="utf-8").splitlines():
        decision: dict[str, object] = json.loads(line)
        if decision["task"] == TASK and decision["action"] == action:
            return decision
    return None


def _against(home: Home) -> str | None:
    decision = _decision(home, "refuse") or _decision(home, "failed")
    return str(decision["reason"]) if decision else None


def _release_line(manifest: Manifest) -> str:
    size = manifest.files["model.onnx"].size / 1e6
    return (
        f"release {manifest.version}: accuracy {manifest.metrics['accuracy']:.3f} on the test set, "
        f"int8 ONNX of {size:.1f} MB"
    )


def _verdict_line(verdict: Verdict) -> str:
    drifted = ", ".join(found.name for found in verdict.detectors if found.verdict == "drift")
    accuracy = verdict.accuracy
    measured = ""
    if accuracy is not None and accuracy.measured is not None:
        measured = f"; measured accuracy {accuracy.measured:.2f}, reference {accuracy.reference:.2f}"
    return f"{verdict.run} windows in a row: {drifted}{measured}"


def _stable(home: Home) -> str:
    rollout = read_rollout(home, TASK)
    if rollout is None:
        raise StepFailedError("A stable release is expected after training; there is none.")
    return rollout.stable


def _expect(happened: bool, message: str) -> None:
    if not happened:
        raise StepFailedError(message)


def _fresh_home(folder: Path) -> Home:
    root = folder.resolve()
    if root.exists():
        if any(root.iterdir()) and not (root / MARKER).is_file():
            raise StepFailedError(f"{root} holds files that are not the demo's. Move them away.")
        shutil.rmtree(root)
    root.mkdir(parents=True)
    (root / MARKER).touch()
    return Home(root)


def _last_line(log: Path) -> str:
    lines = log.read_text(encoding="utf-8", errors="replace").split("\n") if log.is_file() else []
    return next((line.strip() for line in reversed(lines) if line.strip()), "retraining ...")


def _relative(path: Path) -> Path:
    """As a user would type it."""
    return path.relative_to(Path.cwd()) if path.is_relative_to(Path.cwd()) else path


def _where_to_look(home: Home) -> Text:
    relative = _relative(home.root)
    return Text(
        f"""
Look at it yourself:
  {relative}/releases/{TASK}/*/report.html     the releases: metrics, gate, lineage
  {relative}/monitoring/{TASK}/reports/index.html   the drift reports, window by window
  {relative}/controller/decisions.jsonl     each decision with its evidence
  {relative}/up.log                         what the three programs said

Go on from here:
  .venv/bin/perennial up --home {relative}
  curl -s localhost:3000/v1/models/{TASK}:predict -H "content-type: application/json" \\
    -d '{{"instances": ["where is my parcel?"]}}'"""
    )


if __name__ == "__main__":
    sys.exit(main())
