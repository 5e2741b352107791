"""`perennial data`: what a task's data is like, before anything is trained on it."""

from __future__ import annotations

import argparse
import os
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from cli.console import print_fields, print_json, print_line, print_table
from contracts.task import load_task

if TYPE_CHECKING:
    from training.data.profile import LabelProfile, Nearness, Profile

_LABELS_SHOWN = 20
_MIX_SHOWN = 8


def configure(parser: argparse.ArgumentParser) -> None:
    """Options of the verb."""
    parser.add_argument("task", type=Path, metavar="TASK.toml", help="the task file, such as tasks/support.toml")
    parser.add_argument("--json", action="store_true", help="print JSON for machines")


def run(options: argparse.Namespace) -> int:
    """Reads and checks the data as `train` would, and trains nothing."""
    spec = load_task(options.task, os.environ)
    from training.data.dataset import load_dataset
    from training.data.profile import profile

    dataset = load_dataset(spec)
    found = profile(dataset)
    if options.json:
        content = {"fingerprint": dataset.fingerprint, "warnings": list(dataset.warnings), **found.content()}
        print_json({"task": spec.name, "kind": spec.kind, **content})
        return 0
    print_fields({"task": f"{spec.name} ({spec.kind})", "data": dataset.fingerprint[:12]})
    _print_splits(found)
    _print_labels(found)
    _print_findings(found)
    for warning in dataset.warnings:
        print_line(f"\nwarning: {warning}")
    return 0


def _print_splits(found: Profile) -> None:
    print_line("")
    print_table(
        ("split", "rows", "words: median", "p90", "p99", "longest", "characters: median", "p99", "longest"),
        [
            (
                split.name,
                f"{split.rows:,}",
                *(f"{split.words[name]:,}" for name in ("median", "p90", "p99", "longest")),
                *(f"{split.characters[name]:,}" for name in ("median", "p99", "longest")),
            )
            for split in found.splits
        ],
        right=("rows", "words: median", "p90", "p99", "longest", "characters: median"),
    )


def _print_labels(found: Profile) -> None:
    if not found.labels:
        return
    print_line("")
    labels = list(found.labels)
    half = _LABELS_SHOWN // 2
    shown = labels if len(labels) <= _LABELS_SHOWN else [*labels[:half], *labels[-half:]]
    rows = [_label_row(label) for label in shown]
    if len(shown) < len(labels):
        rows.insert(half, (f"... {len(labels) - len(shown)} more ...", "", "", ""))
    print_table(("label", "train", "validation", "test"), rows, right=("train", "validation", "test"))


def _label_row(label: LabelProfile) -> tuple[str, str, str, str]:
    return label.name, f"{label.train:,}", f"{label.validation:,}", f"{label.test:,}"


def _print_findings(found: Profile) -> None:
    left_out = [f"{one.rows:,} of {one.split} ({one.reason})" for one in found.left_out if one.rows]
    fields = {
        "left out": "; ".join(left_out) or "nothing",
        "conflicts": f"{found.conflicts:,} texts stand with more than one truth",
        "near-duplicates": _near(found.near),
        "scripts": _mix(found.scripts),
        "languages": _mix(found.languages),
    }
    if found.imbalance is not None:
        fields["imbalance"] = (
            f"largest to smallest label {found.imbalance.largest_to_smallest:.1f}, "
            f"evenness {found.imbalance.evenness:.3f} of 1"
        )
    print_line("")
    print_fields(fields)


def _near(near: Nearness) -> str:
    leaks = ", ".join(f"{share:.1%} of {split}" for split, share in near.leaked.items())
    told = f"{near.share:.1%} of {near.texts:,} texts are nearly another one; {leaks} nearly stand in train"
    if near.conflicting:
        told += f"; {near.conflicting:,} such pairs are labelled differently"
    return told + "".join(f"\n{' ' * 17}{first} and {second}" for first, second in near.examples)


def _mix(counts: Mapping[str, int]) -> str:
    whole = sum(counts.values()) or 1
    shown = [f"{name} {count / whole:.1%}" for name, count in list(counts.items())[:_MIX_SHOWN]]
    return ", ".join(shown) + (f", and {len(counts) - _MIX_SHOWN} more" if len(counts) > _MIX_SHOWN else "")
