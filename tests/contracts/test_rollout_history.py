from __future__ import annotations

import pytest

from contracts.rollout_history import RolloutChange, standbys


def history(*words: str) -> tuple[RolloutChange, ...]:
    """Of words such as `promote 0002 0001`: action, version, replaced."""
    changes = []
    for number, word in enumerate(words):
        action, version, *replaced = word.split()
        content = {"time": number, "action": action, "version": version, "by": "test", "reason": "test"}
        changes.append(RolloutChange.model_validate({**content, "replaced": replaced[0] if replaced else None}))
    return tuple(changes)


UP = ("promote 0001", "promote 0002 0001", "promote 0003 0002")


@pytest.mark.parametrize(
    ("changes", "stable", "expected"),
    [
        ((), "0001", ()),
        (UP[:1], "0001", ()),
        (UP, "0003", ("0002", "0001")),
        ((*UP, "rollback 0002 0003"), "0002", ("0001", "0003")),
        ((*UP, "rollback 0002 0003", "rollback 0001 0002"), "0001", ("0002", "0003")),
        ((*UP, "rollback 0002 0003", "promote 0004 0002"), "0004", ("0002", "0001", "0003")),
        # The file was written by hand: what it names was never promoted.
        (UP, "0009", ("0003", "0002", "0001")),
        # Trials were never stable; a history that was cut still knows what its first change replaced.
        ((*UP[2:], "canary 0004", "shadow 0005", "end_trial 0004"), "0003", ("0002",)),
    ],
)
def test_what_may_stand_in_for_the_stable_release(
    changes: tuple[str, ...], stable: str, expected: tuple[str, ...]
) -> None:
    assert standbys(history(*changes), stable) == expected
