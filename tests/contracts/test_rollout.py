"""Which release serves, after any sequence of promotions and rollbacks."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from contracts.errors import ReleaseCorruptError, ReleaseNotFoundError, RolloutError
from contracts.files import sha256_file
from contracts.home import Home
from contracts.release import MODEL_FILE, Manifest
from contracts.rollout import Rollout, end_trial, predecessor, promote, read_rollout, rollback, try_canary, try_shadow

PublishSmall = Callable[..., Manifest]
VERSIONS = ("0001", "0002", "0003", "0004")


@pytest.fixture(scope="module")
def published(tmp_path_factory: pytest.TempPathFactory, publish_small: PublishSmall) -> Home:
    home = Home(tmp_path_factory.mktemp("published"))
    assert tuple(publish_small(home).version for _ in VERSIONS) == VERSIONS
    return home


@pytest.fixture
def fresh(published: Home) -> Home:
    published.rollout("support").unlink(missing_ok=True)
    return published


def up(home: Home, version: str, now: float = 1.0) -> Rollout:
    return promote(home, "support", version, by="test", reason="better", now=now)


def back(home: Home, now: float = 2.0) -> Rollout:
    return rollback(home, "support", by="test", reason="worse", now=now)


def replay(home: Home, steps: list[str | None]) -> None:
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
def test_any_sequence_goes_where_the_stack_says(published: Home, steps: list[str | None]) -> None:
    replay(published, steps)


@pytest.mark.parametrize(("promotions", "rollbacks"), [(120, 60), (70, 69), (101, 100)])
def test_a_history_that_was_cut_never_sends_back_to_a_wrong_release(
    published: Home, promotions: int, rollbacks: int
) -> None:
    forth: list[str | None] = [VERSIONS[number * number % 4] for number in range(promotions)]
    alternating = [step for number in range(20) for step in (VERSIONS[number % 4], None, None)]
    replay(published, [*forth, *[None] * rollbacks, *alternating])


def test_going_back_twice_goes_back_two(fresh: Home) -> None:
    for version in VERSIONS[:3]:
        up(fresh, version)
    assert [back(fresh).stable, back(fresh).stable] == ["0002", "0001"]
    with pytest.raises(RolloutError, match="Published: 0001, 0002, 0003, 0004"):
        back(fresh)


def test_a_release_that_was_rolled_back_is_not_gone_back_to(fresh: Home) -> None:
    up(fresh, "0001")
    up(fresh, "0002")
    back(fresh)
    up(fresh, "0003")
    assert back(fresh).stable == "0001"


def test_nothing_was_promoted(fresh: Home) -> None:
    assert read_rollout(fresh, "support") is None
    with pytest.raises(RolloutError):
        back(fresh)


def test_only_whole_releases_are_promoted(home: Home, publish_small: PublishSmall) -> None:
    publish_small(home)
    publish_small(home)
    with pytest.raises(ReleaseNotFoundError):
        up(home, "0003")
    up(home, "0001")
    (home.release("support", "0002") / MODEL_FILE).write_bytes(b"damaged")
    with pytest.raises(ReleaseCorruptError):
        up(home, "0002")
    assert read_rollout(home, "support").stable == "0001"


def test_a_damaged_release_is_not_gone_back_to(home: Home, publish_small: PublishSmall) -> None:
    for _ in range(2):
        up(home, publish_small(home).version)
    (home.release("support", "0001") / MODEL_FILE).unlink()
    with pytest.raises(ReleaseCorruptError):
        back(home)
    assert read_rollout(home, "support").stable == "0002"


@pytest.mark.parametrize(
    "content", ["", "{", "[]", '{"task": "support", "generation": 1, "stable": "../x"}', '{"task": "support"}']
)
def test_a_malformed_rollout_is_told_and_mended_by_a_promotion(fresh: Home, content: str) -> None:
    fresh.rollout("support").write_text(content)
    with pytest.raises(RolloutError, match="perennial releases promote support"):
        read_rollout(fresh, "support")
    assert up(fresh, "0002").stable == "0002"
    assert read_rollout(fresh, "support").stable == "0002"


def test_the_rollout_of_another_task_is_refused(fresh: Home) -> None:
    up(fresh, "0001")
    path: Path = fresh.rollout("support")
    path.write_text(path.read_text().replace('"task": "support"', '"task": "other"'))
    with pytest.raises(RolloutError, match="is of task other"):
        read_rollout(fresh, "support")


def canary(home: Home, version: str, share: float = 0.1, now: float = 3.0) -> Rollout:
    return try_canary(home, "support", version, share, by="test", reason="looks good", now=now)


def shadow(home: Home, version: str, share: float = 1.0, now: float = 3.0) -> Rollout:
    return try_shadow(home, "support", version, share, by="test", reason="to see", now=now)


def ended(home: Home, now: float = 4.0) -> Rollout:
    return end_trial(home, "support", by="test", reason="seen enough", now=now)


def trials(rollout: Rollout) -> tuple[str | None, str | None]:
    return rollout.canary, rollout.shadow


TRIAL_STEPS = st.one_of(
    st.tuples(st.sampled_from(["promote", "canary", "shadow"]), st.sampled_from(VERSIONS)),
    st.tuples(st.sampled_from(["rollback", "end"]), st.none()),
)


@given(st.lists(TRIAL_STEPS, max_size=25))
@settings(deadline=None, max_examples=60)
def test_any_sequence_with_trials_is_what_users_expect(published: Home, steps: list[tuple[str, str | None]]) -> None:
    published.rollout("support").unlink(missing_ok=True)
    up(published, "0001")
    served, tried = ["0001"], {"canary": None, "shadow": None}
    for step, version in steps:
        before = read_rollout(published, "support")
        assert before is not None
        acts: dict[str, Callable[..., Rollout]] = {
            "promote": up,
            "canary": canary,
            "shadow": shadow,
            "rollback": back,
            "end": ended,
        }
        try:
            after = acts[step](published, *([version] if version else []))
        except RolloutError:
            sensible = {
                "canary": version != served[-1],
                "shadow": version != served[-1],
                "rollback": len(served) > 1,
                "end": any(tried.values()),
            }
            assert not sensible.get(step, True)
            assert read_rollout(published, "support") == before
            continue
        if step == "promote" and version != served[-1]:
            served.append(version)
            tried = {"canary": None, "shadow": None if tried["shadow"] == version else tried["shadow"]}
        elif step in tried:
            tried = {place: None if held == version else held for place, held in tried.items()} | {step: version}
        elif step in ("rollback", "end"):
            served = served[:-1] if step == "rollback" else served
            tried = {"canary": None, "shadow": None}
        assert (after.stable, after.canary, after.shadow) == (served[-1], tried["canary"], tried["shadow"])
        assert after == read_rollout(published, "support")
        assert after.generation == before.generation + (after != before)
        assert predecessor(after) == (served[-2] if len(served) > 1 else None)
        for named in filter(None, (after.stable, *tried.values())):
            assert after.sha256_of(named) == sha256_file(published.release("support", named) / "manifest.json")


def test_a_canary_is_noted_with_its_share_and_its_checksum(fresh: Home) -> None:
    up(fresh, "0001")
    rollout = canary(fresh, "0002", 0.1)
    assert (rollout.stable, rollout.canary, rollout.canary_share) == ("0001", "0002", 0.1)
    note = rollout.history[-1]
    assert (note.action, note.version, note.share, note.replaced) == ("canary", "0002", 0.1, None)
    assert note.manifest_sha256 == rollout.sha256_of("0002") is not None
    more = canary(fresh, "0002", 0.5)
    assert (more.canary_share, more.generation) == (0.5, rollout.generation + 1)
    assert canary(fresh, "0002", 0.5) == more
    assert canary(fresh, "0003").history[-1].replaced == "0002"


def test_a_promoted_canary_answers_everybody(fresh: Home) -> None:
    up(fresh, "0001")
    shadow(fresh, "0003", 0.5)
    canary(fresh, "0002")
    rollout = up(fresh, "0002")
    assert (rollout.stable, rollout.canary, rollout.canary_share) == ("0002", None, 0.0)
    assert (rollout.shadow, rollout.shadow_share) == ("0003", 0.5)
    assert [change.action for change in rollout.history] == ["promote", "shadow", "canary", "promote"]
    assert predecessor(rollout) == "0001"


def test_a_promotion_of_another_release_ends_the_canary_and_says_so(fresh: Home) -> None:
    up(fresh, "0001")
    canary(fresh, "0002")
    rollout = up(fresh, "0003")
    assert trials(rollout) == (None, None)
    assert [(change.action, change.version) for change in rollout.history[-2:]] == [
        ("end_trial", "0002"),
        ("promote", "0003"),
    ]
    assert "promote of 0003" in rollout.history[-2].reason


def test_a_rollback_ends_every_trial(fresh: Home) -> None:
    up(fresh, "0001")
    up(fresh, "0002")
    canary(fresh, "0003")
    shadow(fresh, "0004")
    rollout = back(fresh)
    assert (rollout.stable, *trials(rollout)) == ("0001", None, None)
    assert [change.action for change in rollout.history[-3:]] == ["end_trial", "end_trial", "rollback"]


def test_a_trial_moves_from_one_place_to_the_other(fresh: Home) -> None:
    up(fresh, "0001")
    shadow(fresh, "0002")
    assert trials(canary(fresh, "0002")) == ("0002", None)
    assert trials(shadow(fresh, "0002")) == (None, "0002")


def test_many_changes_of_a_share_do_not_forget_where_to_go_back_to(fresh: Home) -> None:
    up(fresh, "0001")
    up(fresh, "0002")
    for step in range(130):
        rollout = canary(fresh, "0003", (step + 1) / 200)
    assert len(rollout.history) == 102
    assert predecessor(rollout) == "0001"
    assert back(fresh).stable == "0001"


def test_only_another_whole_release_is_tried_beside_one_that_serves(home: Home, publish_small: PublishSmall) -> None:
    for _ in range(2):
        publish_small(home)
    with pytest.raises(RolloutError, match="perennial releases promote support"):
        canary(home, "0002")
    up(home, "0001")
    with pytest.raises(RolloutError, match="nothing to end"):
        ended(home)
    with pytest.raises(RolloutError, match="is the stable one"):
        shadow(home, "0001")
    with pytest.raises(ReleaseNotFoundError):
        canary(home, "0009")
    for share in (0.0, -0.1, 1.1, float("nan")):
        with pytest.raises(RolloutError, match="share above 0"):
            canary(home, "0002", share)
    (home.release("support", "0002") / MODEL_FILE).write_bytes(b"damaged")
    with pytest.raises(ReleaseCorruptError):
        shadow(home, "0002")
    assert trials(read_rollout(home, "support")) == (None, None)


def test_a_file_written_by_hand_is_enough(fresh: Home) -> None:
    content = '{"schema_number": 1, "task": "support", "generation": 2, "stable": "0001", %s}'
    fresh.rollout("support").write_text(content % '"canary": "0002", "canary_share": 0.25')
    rollout = read_rollout(fresh, "support")
    assert (rollout.canary, rollout.canary_share, rollout.sha256_of("0002")) == ("0002", 0.25, None)
    fresh.rollout("support").write_text(content % '"shadow": "0002"')
    rollout = read_rollout(fresh, "support")
    assert (rollout.shadow, rollout.shadow_share) == ("0002", 1.0)
    assert up(fresh, "0002").history[-1].replaced == "0001"


@pytest.mark.parametrize(
    ("written", "problem"),
    [
        ('"canary": "0001", "canary_share": 0.1', "other releases than `stable`"),
        ('"shadow": "0001"', "other releases than `stable`"),
        ('"shadow": "0002", "shadow_share": 0.0', "`shadow_share` above 0"),
        ('"shadow": "0002", "canary": "0002", "canary_share": 0.1', "two releases"),
    ],
)
def test_trials_that_make_no_sense_are_told(fresh: Home, written: str, problem: str) -> None:
    fresh.rollout("support").write_text(f'{{"task": "support", "generation": 2, "stable": "0001", {written}}}')
    with pytest.raises(RolloutError, match=problem):
        read_rollout(fresh, "support")
    with pytest.raises(RolloutError, match=problem):
        canary(fresh, "0003")


@pytest.mark.parametrize(("canary", "share"), [("0002", 0.0), (None, 0.1), ("0002", 1.5)])
def test_a_canary_goes_with_a_share(canary: str | None, share: float) -> None:
    with pytest.raises(ValueError, match="canary"):
        Rollout(task="support", generation=1, stable="0001", canary=canary, canary_share=share)
