"""`perennial releases`: list, show, promote, roll back, and try one beside the stable one."""

from __future__ import annotations

import argparse
import getpass
import os
import time
from dataclasses import asdict, dataclass
from datetime import UTC, datetime

from cli.console import add_common, print_error, print_fields, print_json, print_line, print_table, when
from cli.nearest import nearest
from contracts.errors import PerennialError, ReleaseNotFoundError, RolloutError
from contracts.home import Home
from contracts.release import MODEL_FILE, Manifest
from contracts.release_store import list_versions, read_manifest, verify_release
from contracts.rollout import Rollout, end_trial, promote, read_rollout, rollback, try_canary, try_shadow
from contracts.task import Kind


class TaskNotFoundError(PerennialError):
    """A task that has no release here; a misspelled one, mostly."""


# What a release of each kind is judged by, as its manifest names it; of two, the first that was measured.
_JUDGED_BY: dict[Kind, tuple[str, ...]] = {
    "classification": ("accuracy",),
    "token-classification": ("f1",),
    "question-answering": ("f1",),
    "similarity": ("recall_at_1", "spearman"),
}
_CHANGES = ("promote", "rollback", "canary", "shadow", "end-trial")


def configure(parser: argparse.ArgumentParser) -> None:
    """Subcommands `list` (the default), `show`, and those that change rollout.json."""
    add_common(parser, json_output=True)
    actions = parser.add_subparsers(dest="action", metavar="ACTION")
    listing = actions.add_parser("list", help="all releases, or those of one task; what is done without an ACTION")
    listing.add_argument("task", nargs="?")
    show = actions.add_parser("show", help="one release: metrics, gate, lineage, and whether its files are whole")
    show.add_argument("task")
    show.add_argument("version", nargs="?", help="default: the stable one")
    promotion = actions.add_parser("promote", help="make a release the stable one")
    promotion.add_argument("task")
    promotion.add_argument("version")
    back = actions.add_parser("rollback", help="make the release that served before serve again")
    back.add_argument("task")
    canary = actions.add_parser("canary", help="let a release answer a share of the callers, always the same ones")
    canary.add_argument("--share", type=_share, default=0.1, help="above 0, at most 1 (default: %(default)s)")
    shadow = actions.add_parser("shadow", help="let a release score a share of the traffic; it answers nobody")
    shadow.add_argument("--share", type=_share, default=1.0, help="above 0, at most 1 (default: %(default)s)")
    for trial in (canary, shadow):
        trial.add_argument("task")
        trial.add_argument("version")
    end = actions.add_parser("end-trial", help="end the canary and the shadow: the stable release alone is left")
    end.add_argument("task")
    for action in (promotion, back, canary, shadow, end):
        action.add_argument("--reason", default="by hand", help="kept in rollout.json")
    for action in (listing, show, promotion, back, canary, shadow, end):
        # Also accepted behind the action; SUPPRESS keeps what stood before it.
        action.add_argument("--home", metavar="DIR", default=argparse.SUPPRESS, help=argparse.SUPPRESS)
        action.add_argument("--json", action="store_true", default=argparse.SUPPRESS, help=argparse.SUPPRESS)


def run(options: argparse.Namespace) -> int:
    """One action on the releases of a home."""
    home = Home.from_environment(os.environ, options.home)
    task = getattr(options, "task", None)
    if task is not None:
        # Asked first, so that a mistyped name leaves no folder behind.
        _check_task(home, task)
    if options.action in _CHANGES:
        return _change(home, options)
    if options.action == "show":
        return _show(home, options)
    return _list(home, task, as_json=options.json)


def _check_task(home: Home, task: str) -> None:
    known = [name for name in home.tasks() if list_versions(home, name)]
    if task in known:
        return
    meant = nearest(task, known)
    if meant is None and not known:
        raise ReleaseNotFoundError(task, None, [])
    guess = f"Did you mean {meant}? " if meant else ""
    raise TaskNotFoundError(
        f"Expected a task that has releases in {home.root}, found {task!r}. {guess}There are: {', '.join(known)}."
    )


def _change(home: Home, options: argparse.Namespace) -> int:
    rollout = _changed(home, options, by=_user(), now=time.time())
    if options.json:
        print_json(rollout.model_dump(mode="json"))
    else:
        trials = "".join(f", {version} is tried as {state}" for version, state in trial_states(rollout).items())
        print_line(
            f"{options.task}: release {rollout.stable} is the stable one{trials}; running services follow once "
            "they have loaded it."
        )
    return 0


def _changed(home: Home, options: argparse.Namespace, *, by: str, now: float) -> Rollout:
    task, reason = options.task, options.reason
    if options.action == "promote":
        return promote(home, task, options.version, by=by, reason=reason, now=now)
    if options.action == "canary":
        return try_canary(home, task, options.version, options.share, by=by, reason=reason, now=now)
    if options.action == "shadow":
        return try_shadow(home, task, options.version, options.share, by=by, reason=reason, now=now)
    if options.action == "end-trial":
        return end_trial(home, task, by=by, reason=reason, now=now)
    return rollback(home, task, by=by, reason=reason, now=now)


def _share(written: str) -> float:
    try:
        share = float(written)
    except ValueError:
        share = 0.0
    if not 0 < share <= 1:
        raise argparse.ArgumentTypeError(f"expected a share above 0 and at most 1, such as 0.1; found {written!r}")
    return share


def trial_states(rollout: Rollout) -> dict[str, str]:
    """What is tried beside the stable release, by version, such as `canary 10 %`."""
    tried = [version for version in (rollout.canary, rollout.shadow) if version is not None]
    return {version: _shown_state(*_place(rollout, version)) for version in tried}


def _place(rollout: Rollout | None, version: str) -> tuple[str | None, float | None]:
    """What a release is, and the share of the traffic that it is tried on."""
    if rollout is None:
        return None, None
    if rollout.stable == version:
        return "stable", None
    if rollout.shadow == version:
        return "shadow", rollout.shadow_share
    return ("canary", rollout.canary_share) if rollout.canary == version else (None, None)


def _shown_state(state: str | None, share: float | None) -> str:
    if share is None or (state == "shadow" and share == 1):
        return state or ""
    return f"{state} {100 * share:.3g} %"


def _user() -> str:
    try:
        return getpass.getuser()
    # In a container the user often has a number only.
    except (KeyError, OSError):
        return f"user {os.getuid()}"


def _list(home: Home, task: str | None, *, as_json: bool) -> int:
    tasks = [task] if task else home.tasks()
    rows = []
    for name in tasks:
        versions = list_versions(home, name)
        try:
            rollout = read_rollout(home, name)
        except RolloutError as error:
            # The other tasks' releases are still worth seeing, and this one's are the remedy.
            print_error(str(error))
            rollout = None
        rows += [_listed(home, name, version, rollout) for version in versions]
    if as_json:
        print_json([asdict(row) for row in rows])
    elif rows:
        columns = ("task", "version", "state", "judged by", "size", "published", "parent")
        print_table(columns, [_cells(row) for row in rows], right=("judged by", "size"))
    else:
        print_line(f"No releases in {home.root}. Train one with `perennial train tasks/TASK.toml`.")
    return 0


@dataclass(frozen=True)
class _Listed:
    """One release, as machines are told of it; what a corrupt one does not tell is None."""

    task: str
    version: str
    state: str | None  # stable, canary or shadow
    share: float | None  # of the traffic that a canary or a shadow gets, 0..1
    corrupt: bool
    judged_by: dict[str, float]
    model_bytes: int | None
    published: str | None  # ISO 8601, UTC
    parent: str | None


def _listed(home: Home, task: str, version: str, rollout: Rollout | None) -> _Listed:
    state, share = _place(rollout, version)
    try:
        manifest = read_manifest(home, task, version)
        size = manifest.files[MODEL_FILE].size
    except (PerennialError, KeyError):
        return _Listed(task, version, state, share, True, {}, None, None, None)
    published = datetime.fromtimestamp(manifest.created, UTC).isoformat(timespec="seconds")
    parent = manifest.lineage.parent
    return _Listed(task, version, state, share, False, judged_by(manifest), size, published, parent)


def _cells(one: _Listed) -> list[str]:
    state = _shown_state(one.state, one.share)
    return [
        one.task,
        one.version,
        f"{state} corrupt".strip() if one.corrupt else state,
        ", ".join(f"{name} {value:.3f}" for name, value in one.judged_by.items()),
        f"{one.model_bytes / 1e6:.1f} MB" if one.model_bytes is not None else "",
        when(datetime.fromisoformat(one.published).timestamp()) if one.published else "",
        one.parent or "",
    ]


def judged_by(manifest: Manifest) -> dict[str, float]:
    """The figure that counts for its kind of task, by name; empty where it was not measured."""
    names = ("f1",) if manifest.spec.multi_label else _JUDGED_BY[manifest.spec.kind]
    return next(({name: manifest.metrics[name]} for name in names if name in manifest.metrics), {})


def _show(home: Home, options: argparse.Namespace) -> int:
    rollout = read_rollout(home, options.task)
    version = options.version or (rollout.stable if rollout else None)
    if version is None:
        raise ReleaseNotFoundError(options.task, None, list_versions(home, options.task))
    state = _shown_state(*_place(rollout, version))
    known = rollout.sha256_of(version) if rollout is not None and state else None
    manifest = verify_release(home, options.task, version, sha256=known)
    if options.json:
        print_json(manifest.model_dump(mode="json", by_alias=True))
        return 0
    print_fields(_summary(manifest, home, state))
    print_table(
        ("gate", "passed", "expected", "found"),
        [(check.name, "yes" if check.passed else "no", check.expected, check.found) for check in manifest.gate],
    )
    if manifest.comparison is not None:
        _print_comparison(manifest)
    return 0


def _summary(manifest: Manifest, home: Home, state: str) -> dict[str, str]:
    lineage = manifest.lineage
    return {
        "release": f"{manifest.task}/{manifest.version}" + (f" ({state})" if state else ""),
        "files": "whole: every checksum matches the manifest",
        "published": when(manifest.created),
        "labels": f"{len(manifest.labels)}: {', '.join(manifest.labels[:8])}"
        + (" ..." if len(manifest.labels) > 8 else ""),
        **{f"metric {name}": f"{value:.4g}" for name, value in manifest.metrics.items()},
        "base model": f"{lineage.base_model} (sha256 {lineage.base_sha256[:12]}..)",
        "data": f"sha256 {lineage.data_fingerprint[:12]}..",
        "commit": lineage.commit or "unknown",
        "parent": lineage.parent or "none",
        "request": lineage.request_id or "none",
        "report": str(home.release(manifest.task, manifest.version) / "report.html"),
    }


def _print_comparison(manifest: Manifest) -> None:
    comparison = manifest.comparison
    if comparison is None:
        return
    print_table(
        ("compared on", "texts", f"champion {comparison.champion}", f"candidate {manifest.version}"),
        [
            (name, str(pair.rows), f"{pair.champion_accuracy:.3f}", f"{pair.candidate_accuracy:.3f}")
            for name, pair in (("old test set", comparison.old_test), ("fresh labels", comparison.fresh))
        ],
        right=("texts",),
    )
