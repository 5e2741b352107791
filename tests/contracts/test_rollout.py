"""Which release serves, after any sequence of promotions and rollbacks."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from contracts.errors import ReleaseCorruptError, ReleaseNotFoundError, RolloutError
from contracts.home import Home
from contracts.release import MODEL_FILE, Manifest
from contracts.rollout import Rollout, predecessor, read_rollout

PublishSmall = Callable[..., Manifest]


VERSIONS = ("0001", "0002", "0003", "0004")


def replay(home: Home, steps: list[str | None], up: Callable[..., Rollout], back: Callable[..., Rollout]) -> None:
    """Every step beside a stack that keeps all of history."""
    home.rollout("support").unlink(missing_ok=True)
    served: list[str] = []
    generation = 0
    for now, step in enumerate(steps):
        before = read_rollout(home, "support")
        if step is None:
            if len(served) < 2:
                with pytest.raises(RolloutError, match="none to roll back to"):
                    back(home, now)
                assert read_rollout(home, "support") == before
                continue
            try:
                rollout = back(home, now)
            except RolloutError:
                # Only a history that was cut may have forgotten.
                assert before is not None
                assert len(before.history) == 100
                continue
            replaced = served.pop()
        elif served[-1:] == [step]:
            assert up(home, step, now) == before
            continue
        else:
            rollout = up(home, step, now)
            replaced = served[-1] if served else None
            served.append(step)
        generation += 1
        assert rollout == read_rollout(home, "support")
        assert (rollout.stable, rollout.generation) == (served[-1], generation)
        last = rollout.history[-1]
        assert (last.version, last.replaced, last.time) == (served[-1], replaced, now)
        assert last.action == ("rollback" if step is None else "promote")
        assert len(rollout.history) == min(generation, 100)
        if generation <= 100:
            assert predecessor(rollout) == (served[-2] if len(served) > 1 else None)
        else:
            assert predecessor(rollout) in (None, *served[-2:-1])


@given(st.lists(st.sampled_from([*VERSIONS, None]), max_size=25))
@settings(deadline=None, max_examples=40)
def test_any_sequence_goes_where_the_stack_says(
    up: Callable[..., Rollout], back: Callable[..., Rollout], published: Home, steps: list[str | None]
) -> None:
    replay(published, steps, up, back)


@pytest.mark.parametrize(("promotions", "rollbacks"), [(120, 60), (70, 69), (101, 100)])
def test_a_history_that_was_cut_never_sends_back_to_a_wrong_release(
    up: Callable[..., Rollout], back: Callable[..., Rollout], published: Home, promotions: int, rollbacks: int
) -> None:
    forth: list[str | None] = [VERSIONS[number * number % 4] for number in range(promotions)]
    alternating = [step for number in range(20) for step in (VERSIONS[number % 4], None, None)]
    replay(published, [*forth, *[None] * rollbacks, *alternating], up, back)


def test_going_back_twice_goes_back_two(back: Callable[..., Rollout], up: Callable[..., Rollout], fresh: Home) -> None:
    for version in VERSIONS[:3]:
        up(fresh, version)
    assert [back(fresh).stable, back(fresh).stable] == ["0002", "0001"]
    with pytest.raises(RolloutError, match="Published: 0001, 0002, 0003, 0004"):
        back(fresh)


def test_a_release_that_was_rolled_back_is_not_gone_back_to(
    back: Callable[..., Rollout], up: Callable[..., Rollout], fresh: Home
) -> None:
    up(fresh, "0001")
    up(fresh, "0002")
    back(fresh)
    up(fresh, "0003")
    assert back(fresh).stable == "0001"


def test_nothing_was_promoted(back: Callable[..., Rollout], fresh: Home) -> None:
    assert read_rollout(fresh, "support") is None
    with pytest.raises(RolloutError):
        back(fresh)


def test_only_whole_releases_are_promoted(up: Callable[..., Rollout], home: Home, publish_small: PublishSmall) -> None:
    publish_small(home)
    publish_small(home)
    with pytest.raises(ReleaseNotFoundError):
        up(home, "0003")
    up(home, "0001")
    (home.release("support", "0002") / MODEL_FILE).write_bytes(b"damaged")
    with pytest.raises(ReleaseCorruptError):
        up(home, "0002")
    assert read_rollout(home, "support").stable == "0001"


def test_a_damaged_release_is_not_gone_back_to(
    back: Callable[..., Rollout], up: Callable[..., Rollout], home: Home, publish_small: PublishSmall
) -> None:
    for _ in range(2):
        up(home, publish_small(home).version)
    (home.release("support", "0001") / MODEL_FILE).unlink()
    with pytest.raises(ReleaseCorruptError):
        back(home)
    assert read_rollout(home, "support").stable == "0002"


@pytest.mark.parametrize(
    "content", ["", "{", "[]", '{"task": "support", "generation": 1, "stable": "../x"}', '{"task": "support"}']
)
def test_a_malformed_rollout_is_told_and_mended_by_a_promotion(
    up: Callable[..., Rollout], fresh: Home, content: str
) -> None:
    fresh.rollout("support").write_text(content)
    with pytest.raises(RolloutError, match="perennial releases promote support"):
        read_rollout(fresh, "support")
    assert up(fresh, "0002").stable == "0002"
    assert read_rollout(fresh, "support").stable == "0002"


def test_the_rollout_of_another_task_is_refused(up: Callable[..., Rollout], fresh: Home) -> None:
    up(fresh, "0001")
    path: Path = fresh.rollout("support")
    path.write_text(path.read_text().replace('"task": "support"', '"task": "other"'))
    with pytest.raises(RolloutError, match="is of task other"):
        read_rollout(fresh, "support")
