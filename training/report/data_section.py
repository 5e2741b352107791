"""What the report says of the data that a release was trained and measured on."""

from __future__ import annotations

from collections.abc import Mapping

from training.data.profile import Profile
from training.report.blocks import Block, Prose, Section, Table, number_cell, percent, text_cell

_MIX_SHOWN = 6


def data_section(profile: Profile) -> Section:
    """Splits and their lengths, then what is remarkable; places stand in metrics.json, texts nowhere."""
    splits = tuple(
        (
            text_cell(split.name),
            number_cell(f"{split.rows:,}"),
            *(number_cell(f"{split.words[name]:,}") for name in ("median", "p99", "longest")),
            *(number_cell(f"{split.characters[name]:,}") for name in ("median", "p99", "longest")),
        )
        for split in profile.splits
    )
    head = ("Split", "Rows#", "Words: median#", "99 %#", "longest#", "Characters: median#", "99 %#", "longest#")
    findings = tuple((text_cell(name), text_cell(found)) for name, found in _findings(profile).items())
    blocks: list[Block] = [Table(head, splits), Table(("", ""), findings)]
    if leaks := {split: share for split, share in profile.near.leaked.items() if share > 0}:
        told = " and ".join(f"{percent(share)} of the {split} texts" for split, share in leaks.items())
        blocks.append(Prose(f"{told} nearly stand in the training texts, which flatters a model.", "soft"))
    return Section("Data", tuple(blocks))


def _findings(profile: Profile) -> dict[str, str]:
    left_out = "; ".join(f"{one.rows:,} of {one.split} ({one.reason})" for one in profile.left_out if one.rows)
    near = f"{percent(profile.near.share)} of {profile.near.texts:,} texts"
    if profile.near.conflicting:
        near += f"; {profile.near.conflicting:,} pairs of them are labelled differently"
    found = {
        "Left out": left_out or "nothing",
        "Texts that stand with more than one truth": f"{profile.conflicts:,}",
        f"Near-duplicates (Jaccard index of {profile.near.threshold} or more)": near,
        "Scripts": _mix(profile.scripts),
        "Languages": _mix(profile.languages),
    }
    if profile.imbalance is not None:
        found["Imbalance"] = (
            f"the commonest label has {profile.imbalance.largest_to_smallest:.1f} times the training rows of the "
            f"rarest; evenness {profile.imbalance.evenness:.3f} of 1"
        )
    return found


def _mix(counts: Mapping[str, int]) -> str:
    whole = sum(counts.values()) or 1
    shown = [f"{name} {percent(count / whole)}" for name, count in list(counts.items())[:_MIX_SHOWN]]
    return ", ".join(shown) + (f", and {len(counts) - _MIX_SHOWN} more" if len(counts) > _MIX_SHOWN else "")
