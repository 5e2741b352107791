"""`perennial train`: from a task file to a published release."""

from __future__ import annotations

import argparse
import os
import time
from pathlib import Path

from cli.console import add_common, print_fields, print_json, print_line
from contracts.home import Home
from contracts.rollout import promote, read_rollout
from contracts.task import load_task


def configure(parser: argparse.ArgumentParser) -> None:
    """Options of the verb."""
    parser.add_argument("task", type=Path, metavar="TASK.toml", help="the task file, such as tasks/support.toml")
    parser.add_argument("--promote", action="store_true", help="make it the stable release even if another one serves")
    add_common(parser, json_output=True)


def run(options: argparse.Namespace) -> int:
    """A task's first release becomes the stable one; later ones wait for `--promote` or `releases promote`."""
    home = Home.from_environment(os.environ, options.home)
    spec = load_task(options.task, os.environ)
    # Read when torch is first imported: threads that spin while they wait for each other are slower on a busy machine.
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    from training.kinds.kinds import kind_of
    from training.learning.group import joined_group
    from training.pipeline import train
    from training.report.cautions import better_rivals

    with joined_group(os.environ) as group:
        manifest = train(home, spec)
    if not group.leads:
        return 0
    first = read_rollout(home, manifest.task) is None
    if first or options.promote:
        reason = "first release" if first else "by hand"
        promote(home, manifest.task, manifest.version, by="perennial train", reason=reason, now=time.time())
    if options.json:
        print_json(manifest.model_dump(mode="json", by_alias=True))
        return 0
    folder = home.release(manifest.task, manifest.version)
    kind = kind_of(spec)
    main, metrics = kind.main, manifest.metrics
    stable = first or options.promote
    print_fields(
        {
            "release": f"{manifest.task}/{manifest.version}"
            + (" (stable)" if stable else " (published, not promoted)"),
            main.title: f"{metrics[main.name]:.4f} on the test set, by the int8 artefact",
            "beside": ", ".join(f"{rival.title} {metrics[rival.name]:.4f}" for rival in reversed(kind.rivals)),
            "folder": str(folder),
            "report": str(folder / "report.html"),
            "next": f"perennial up --home {home.root}"
            if stable
            else f"perennial releases promote {manifest.task} {manifest.version} --home {home.root}",
        }
    )
    for caution in better_rivals(kind, metrics):
        print_line(f"warning: {caution}")
    return 0
