"""Who gets a canary: sticky, uniform, monotone in the share, and others for the next canary."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.rollout.trials import in_share, told_share

KEYS = [f"customer-{number}" for number in range(20_000)]
SHARES = st.floats(0, 1)


@given(st.text(), st.sampled_from(["0002", "0003"]), SHARES, SHARES)
def test_a_key_in_a_share_is_in_every_larger_one(key: str, version: str, one: float, other: float) -> None:
    low, high = sorted((one, other))
    assert in_share("support", version, key, low) <= in_share("support", version, key, high)


@given(st.text(st.characters()))
def test_nobody_is_in_no_share_and_everybody_in_the_whole(key: str) -> None:
    assert not in_share("support", "0002", key, 0.0)
    assert in_share("support", "0002", key, 1.0)


def test_half_a_surrogate_pair_is_a_key_too() -> None:
    assert in_share("support", "0002", "\ud800", 1.0)


def test_the_share_of_the_keys_is_the_share_asked_for() -> None:
    for share in (0.01, 0.1, 0.5, 0.9):
        found = sum(in_share("support", "0002", key, share) for key in KEYS)
        # Six standard deviations: the keys are fixed, so this holds always or never.
        assert abs(found - share * len(KEYS)) < 6 * (share * (1 - share) * len(KEYS)) ** 0.5


def test_successive_canaries_and_tasks_fall_on_callers_of_their_own() -> None:
    for task, version in (("support", "0003"), ("orders", "0002")):
        both = sum(in_share("support", "0002", key, 0.1) and in_share(task, version, key, 0.1) for key in KEYS)
        # As independent as coins: 1 % of 20,000, give or take six standard deviations.
        assert abs(both - 200) < 85
        # And in every stretch of the range alike, which a linear checksum would not give.
        groups = [0, 0]
        for key in KEYS:
            if in_share("support", "0002", key, 0.2):
                groups[in_share("support", "0002", key, 0.1)] += in_share(task, version, key, 0.1)
        assert all(130 < group < 270 for group in groups)


def test_the_same_keys_are_chosen_in_every_process_and_release() -> None:
    chosen = [number for number in range(40) if in_share("support", "0002", f"customer-{number}", 0.1)]
    assert chosen == [21, 31, 34]


@pytest.mark.parametrize(
    ("share", "told"), [(1.0, "all"), (0.5, "50 %"), (0.29, "29 %"), (0.125, "12.5 %"), (0.9999, "99.99 %")]
)
def test_a_share_is_told_in_words(share: float, told: str) -> None:
    assert told_share(share) == told
