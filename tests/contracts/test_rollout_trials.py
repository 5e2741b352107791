"""What is tried beside the stable release, and how a trial begins, moves and ends."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from contracts.errors import ReleaseCorruptError, ReleaseNotFoundError, RolloutError
from contracts.files import sha256_file
from contracts.home import Home
from contracts.release import MODEL_FILE, Manifest
from contracts.rollout import Rollout, predecessor, read_rollout

PublishSmall = Callable[..., Manifest]


VERSIONS = ("0001", "0002", "0003", "0004")


def trials(rollout: Rollout) -> tuple[str | None, str | None]:
    return rollout.canary, rollout.shadow


TRIAL_STEPS = st.one_of(
    st.tuples(st.sampled_from(["promote", "canary", "shadow"]), st.sampled_from(VERSIONS)),
    st.tuples(st.sampled_from(["rollback", "end"]), st.none()),
)


@given(st.lists(TRIAL_STEPS, max_size=25))
@settings(deadline=None, max_examples=60)
def test_any_sequence_with_trials_is_what_users_expect(
    up: Callable[..., Rollout],
    back: Callable[..., Rollout],
    canary: Callable[..., Rollout],
    shadow: Callable[..., Rollout],
    ended: Callable[..., Rollout],
    published: Home,
    steps: list[tuple[str, str | None]],
) -> None:
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


def test_a_canary_is_noted_with_its_share_and_its_checksum(
    canary: Callable[..., Rollout], up: Callable[..., Rollout], fresh: Home
) -> None:
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


def test_a_promoted_canary_answers_everybody(
    canary: Callable[..., Rollout], shadow: Callable[..., Rollout], up: Callable[..., Rollout], fresh: Home
) -> None:
    up(fresh, "0001")
    shadow(fresh, "0003", 0.5)
    canary(fresh, "0002")
    rollout = up(fresh, "0002")
    assert (rollout.stable, rollout.canary, rollout.canary_share) == ("0002", None, 0.0)
    assert (rollout.shadow, rollout.shadow_share) == ("0003", 0.5)
    assert [change.action for change in rollout.history] == ["promote", "shadow", "canary", "promote"]
    assert predecessor(rollout) == "0001"


def test_a_promotion_of_another_release_ends_the_canary_and_says_so(
    canary: Callable[..., Rollout], up: Callable[..., Rollout], fresh: Home
) -> None:
    up(fresh, "0001")
    canary(fresh, "0002")
    rollout = up(fresh, "0003")
    assert trials(rollout) == (None, None)
    assert [(change.action, change.version) for change in rollout.history[-2:]] == [
        ("end_trial", "0002"),
        ("promote", "0003"),
    ]
    assert "promote of 0003" in rollout.history[-2].reason


def test_a_rollback_ends_every_trial(
    back: Callable[..., Rollout],
    canary: Callable[..., Rollout],
    shadow: Callable[..., Rollout],
    up: Callable[..., Rollout],
    fresh: Home,
) -> None:
    up(fresh, "0001")
    up(fresh, "0002")
    canary(fresh, "0003")
    shadow(fresh, "0004")
    rollout = back(fresh)
    assert (rollout.stable, *trials(rollout)) == ("0001", None, None)
    assert [change.action for change in rollout.history[-3:]] == ["end_trial", "end_trial", "rollback"]


def test_a_trial_moves_from_one_place_to_the_other(
    canary: Callable[..., Rollout], shadow: Callable[..., Rollout], up: Callable[..., Rollout], fresh: Home
) -> None:
    up(fresh, "0001")
    shadow(fresh, "0002")
    assert trials(canary(fresh, "0002")) == ("0002", None)
    assert trials(shadow(fresh, "0002")) == (None, "0002")


def test_many_changes_of_a_share_do_not_forget_where_to_go_back_to(
    back: Callable[..., Rollout], canary: Callable[..., Rollout], up: Callable[..., Rollout], fresh: Home
) -> None:
    up(fresh, "0001")
    up(fresh, "0002")
    for step in range(130):
        rollout = canary(fresh, "0003", (step + 1) / 200)
    assert len(rollout.history) == 102
    assert predecessor(rollout) == "0001"
    assert back(fresh).stable == "0001"


def test_only_another_whole_release_is_tried_beside_one_that_serves(
    canary: Callable[..., Rollout],
    ended: Callable[..., Rollout],
    shadow: Callable[..., Rollout],
    up: Callable[..., Rollout],
    home: Home,
    publish_small: PublishSmall,
) -> None:
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


def test_a_file_written_by_hand_is_enough(up: Callable[..., Rollout], fresh: Home) -> None:
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
def test_trials_that_make_no_sense_are_told(
    canary: Callable[..., Rollout], fresh: Home, written: str, problem: str
) -> None:
    fresh.rollout("support").write_text(f'{{"task": "support", "generation": 2, "stable": "0001", {written}}}')
    with pytest.raises(RolloutError, match=problem):
        read_rollout(fresh, "support")
    with pytest.raises(RolloutError, match=problem):
        canary(fresh, "0003")


@pytest.mark.parametrize(("canary", "share"), [("0002", 0.0), (None, 0.1), ("0002", 1.5)])
def test_a_canary_goes_with_a_share(canary: str | None, share: float) -> None:
    with pytest.raises(ValueError, match="canary"):
        Rollout(task="support", generation=1, stable="0001", canary=canary, canary_share=share)


@pytest.mark.parametrize("role", ["canary", "shadow"])
def test_a_release_of_another_kind_is_not_tried_beside_the_stable_one(
    home: Home, publish_small: PublishSmall, up: Callable[..., Rollout], role: str, request: pytest.FixtureRequest
) -> None:
    trial = request.getfixturevalue(role)
    up(home, publish_small(home).version)
    several = publish_small(home, thresholds=(0.5, 0.5))
    with pytest.raises(RolloutError, match="is for classification with several labels a text, the stable release 0001"):
        trial(home, several.version)
    vectors = publish_small(home, kind="similarity")
    with pytest.raises(RolloutError, match=r"is for similarity.*expected one of the same kind"):
        trial(home, vectors.version)
    # What is wrong with the stable release must not keep its successor out.
    (home.release("support", "0001") / "manifest.json").write_bytes(b"{")
    assert trials(trial(home, several.version)) == ((several.version, None) if role == "canary" else (None, "0002"))
