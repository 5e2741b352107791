"""`perennial releases` and `perennial status` over real releases."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import datetime

import pytest

from cli.main import main
from cli.releases import judged_by
from contracts.home import Home
from contracts.release import MODEL_FILE, Manifest
from contracts.rollout import promote, read_rollout
from contracts.verdict import Verdict
from controller.record import DecisionRecord, append_decision
from monitoring.state import write_latest

MakeRelease = Callable[..., Manifest]


@pytest.fixture
def two(home: Home, make_release: MakeRelease) -> Home:
    """Releases 0001 and 0002, the second one promoted after the first."""
    for now in (1.0, 2.0):
        manifest = make_release(home)
        promote(home, "support", manifest.version, by="test", reason="test", now=now)
    return home


def run(home: Home, *words: str) -> int:
    return main([*words, "--home", str(home.root)])


def test_list_names_every_release_and_the_stable_one(two: Home, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(two, "releases", "list", "--json") == 0
    rows = json.loads(capsys.readouterr().out)
    assert [(row["version"], row["state"]) for row in rows] == [("0001", None), ("0002", "stable")]
    assert rows[1]["judged_by"] == {"accuracy": 0.95}
    assert rows[1]["model_bytes"] > 0
    assert datetime.fromisoformat(rows[1]["published"]).tzinfo is not None
    assert (rows[1]["corrupt"], rows[1]["share"], rows[1]["parent"]) == (False, None, None)
    assert run(two, "releases") == 0
    printed = capsys.readouterr().out
    assert "0001" in printed
    assert "stable" in printed
    assert "accuracy 0.950" in printed


@pytest.mark.parametrize(
    ("spec", "metrics", "told"),
    [
        ({"multi_label": True}, {"accuracy": 0.5, "f1": 0.8}, {"f1": 0.8}),
        ({"kind": "token-classification"}, {"f1": 0.7}, {"f1": 0.7}),
        ({"kind": "question-answering"}, {"exact_match": 0.5, "f1": 0.6}, {"f1": 0.6}),
        ({"kind": "similarity"}, {"spearman": 0.9, "recall_at_1": 0.4}, {"recall_at_1": 0.4}),
        ({"kind": "similarity"}, {"spearman": 0.9}, {"spearman": 0.9}),
        ({}, {}, {}),
    ],
)
def test_each_kind_is_listed_with_the_figure_that_it_is_judged_by(
    home: Home, make_release: MakeRelease, spec: dict[str, object], metrics: dict[str, float], told: dict[str, float]
) -> None:
    manifest = make_release(home)
    manifest = manifest.model_copy(update={"spec": manifest.spec.model_copy(update=spec), "metrics": metrics})
    assert judged_by(manifest) == told


def test_options_are_taken_before_and_behind_the_action(two: Home, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["releases", "--home", str(two.root), "--json", "list"]) == 0
    before = json.loads(capsys.readouterr().out)
    assert main(["releases", "list", "--home", str(two.root), "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == before


def test_rollback_and_promote_change_what_serves(two: Home) -> None:
    assert run(two, "releases", "rollback", "support") == 0
    rollout = read_rollout(two, "support")
    assert rollout is not None
    assert rollout.stable == "0001"
    assert run(two, "releases", "promote", "support", "0002", "--reason", "it was fine") == 0
    rollout = read_rollout(two, "support")
    assert rollout is not None
    assert (rollout.stable, rollout.history[-1].reason) == ("0002", "it was fine")


def test_a_rollback_with_nothing_behind_says_so(
    home: Home, make_release: MakeRelease, capsys: pytest.CaptureFixture[str]
) -> None:
    promote(home, "support", make_release(home).version, by="test", reason="test", now=1.0)
    assert run(home, "releases", "rollback", "support") == 1
    assert "no release served before" in capsys.readouterr().err


def test_show_verifies_and_a_flipped_byte_is_told(two: Home, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(two, "releases", "show", "support") == 0
    assert "support/0002 (stable)" in capsys.readouterr().out
    model = two.release("support", "0002") / MODEL_FILE
    content = bytearray(model.read_bytes())
    content[len(content) // 2] ^= 1
    model.write_bytes(bytes(content))
    assert run(two, "releases", "show", "support") == 1
    error = capsys.readouterr().err
    assert "model.onnx has sha256" in error
    assert "rollback support" in error


def test_a_manifest_that_was_changed_after_its_promotion_is_told(two: Home, capsys: pytest.CaptureFixture[str]) -> None:
    manifest = two.release("support", "0002") / "manifest.json"
    manifest.write_text(manifest.read_text().replace('"temperature": 1.0', '"temperature": 9.0'))
    assert run(two, "releases", "show", "support") == 1
    assert "manifest.json has sha256" in capsys.readouterr().err


def test_a_corrupt_release_cannot_be_promoted(two: Home, capsys: pytest.CaptureFixture[str]) -> None:
    (two.release("support", "0001") / MODEL_FILE).write_bytes(b"")
    assert run(two, "releases", "promote", "support", "0001") == 1
    assert "bytes" in capsys.readouterr().err
    rollout = read_rollout(two, "support")
    assert rollout is not None
    assert rollout.stable == "0002"


def test_unknown_things_are_named_with_what_there_is(two: Home, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(two, "releases", "show", "support", "0009") == 1
    assert "0001, 0002" in capsys.readouterr().err
    assert run(two, "releases", "list", "nothing") == 1
    assert "nothing" in capsys.readouterr().err


def test_a_mistyped_task_is_told_and_leaves_no_folder(two: Home, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(two, "releases", "rollback", "suport") == 1
    assert "Expected a task that has releases" in " ".join(capsys.readouterr().err.split())
    assert two.tasks() == ["support"]


def test_a_user_without_a_name_can_roll_back(two: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    def nameless() -> str:
        raise KeyError("getpwuid(): uid not found: 12345")

    monkeypatch.setattr("getpass.getuser", nameless)
    assert run(two, "releases", "rollback", "support") == 0
    rollout = read_rollout(two, "support")
    assert rollout is not None
    assert rollout.history[-1].by.startswith("user ")


def test_a_release_is_tried_promoted_and_the_trial_is_over(
    two: Home, make_release: MakeRelease, capsys: pytest.CaptureFixture[str]
) -> None:
    make_release(two)

    def states() -> dict[str, tuple[str | None, float | None]]:
        capsys.readouterr()
        assert run(two, "releases", "list", "--json") == 0
        return {row["version"]: (row["state"], row["share"]) for row in json.loads(capsys.readouterr().out)}

    assert run(two, "releases", "canary", "support", "0003") == 0
    assert "release 0002 is the stable one, 0003 is tried as canary 10 %" in capsys.readouterr().out
    assert states() == {"0001": (None, None), "0002": ("stable", None), "0003": ("canary", 0.1)}
    assert run(two, "releases", "canary", "support", "0003", "--share", "0.255", "--reason", "so far so good") == 0
    rollout = read_rollout(two, "support")
    assert rollout is not None
    assert (rollout.canary, rollout.canary_share, rollout.history[-1].reason) == ("0003", 0.255, "so far so good")
    assert run(two, "releases", "shadow", "support", "0001") == 0
    assert states() == {"0001": ("shadow", 1.0), "0002": ("stable", None), "0003": ("canary", 0.255)}
    assert run(two, "releases", "shadow", "support", "0001", "--share", "0.5", "--json") == 0
    assert json.loads(capsys.readouterr().out)["shadow_share"] == 0.5
    assert states()["0001"] == ("shadow", 0.5)
    assert run(two, "releases", "show", "support", "0003") == 0
    assert "support/0003 (canary 25.5 %)" in capsys.readouterr().out
    assert run(two, "releases", "end-trial", "support") == 0
    assert states() == {"0001": (None, None), "0002": ("stable", None), "0003": (None, None)}
    assert run(two, "releases", "end-trial", "support") == 1
    assert "nothing to end" in capsys.readouterr().err


def test_a_canary_that_was_changed_after_it_began_is_told(two: Home, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(two, "releases", "canary", "support", "0001") == 0
    manifest = two.release("support", "0001") / "manifest.json"
    manifest.write_text(manifest.read_text().replace('"temperature": 1.0', '"temperature": 9.0'))
    assert run(two, "releases", "show", "support", "0001") == 1
    assert "manifest.json has sha256" in capsys.readouterr().err


@pytest.mark.parametrize("share", ["0", "1.5", "-0.1", "nan", "ten"])
def test_a_share_that_is_none_is_refused(two: Home, share: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        run(two, "releases", "canary", "support", "0001", f"--share={share}")
    assert ended.value.code == 2
    assert "expected a share above 0 and at most 1" in capsys.readouterr().err


def test_the_stable_release_is_no_canary(two: Home, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(two, "releases", "canary", "support", "0002") == 1
    assert "is the stable one" in capsys.readouterr().err
    assert run(two, "releases", "shadow", "suport", "0001") == 1
    assert two.tasks() == ["support"]


def test_one_malformed_rollout_does_not_hide_the_releases(two: Home, capsys: pytest.CaptureFixture[str]) -> None:
    two.rollout("support").write_text("{")
    assert run(two, "releases", "list", "--json") == 0
    printed = capsys.readouterr()
    assert [row["version"] for row in json.loads(printed.out)] == ["0001", "0002"]
    assert "releases promote support VERSION" in " ".join(printed.err.split())


def test_status_reads_files_only(two: Home, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(two, "status", "--json") == 0
    (row,) = json.loads(capsys.readouterr().out)
    assert (row["rollout"]["stable"], row["rollout"]["canary"], row["releases"]) == ("0002", None, 2)
    assert (row["verdict"], row["last_decision"], row["rollout_malformed"]) == (None, None, False)
    assert run(two, "releases", "canary", "support", "0001", "--share", "0.2") == 0
    capsys.readouterr()
    assert run(two, "status", "--json") == 0
    assert json.loads(capsys.readouterr().out)[0]["rollout"]["canary_share"] == 0.2
    assert run(two, "status") == 0
    assert "0001 canary 20 %" in capsys.readouterr().out


@pytest.mark.parametrize(
    "words",
    [
        ("canary", "supprot", "0001"),
        ("shadow", "supprot", "0001"),
        ("promote", "supprot", "0001"),
        ("rollback", "supprot"),
        ("end-trial", "supprot"),
        ("show", "supprot"),
        ("list", "supprot"),
    ],
)
def test_a_mistyped_task_is_told_with_the_nearest_and_all(
    two: Home, make_release: MakeRelease, capsys: pytest.CaptureFixture[str], words: tuple[str, ...]
) -> None:
    make_release(two, "orders")
    assert run(two, "releases", *words) == 1
    told = capsys.readouterr().err
    assert "found 'supprot'. Did you mean support? There are: orders, support." in told
    assert not two.releases("supprot").exists()


def test_status_tells_of_the_retraining_that_repeated_alerts_are_about(
    two: Home, capsys: pytest.CaptureFixture[str]
) -> None:
    retrain = DecisionRecord(time=1.0, task="support", action="retrain", kind="hurt", reason="Drifted and hurt.")
    repeated = retrain.model_copy(update={"action": "ignore", "kind": "duplicate", "reason": "It runs already."})
    for decision in (retrain, repeated):
        append_decision(two, decision)
    assert run(two, "status", "--json") == 0
    assert json.loads(capsys.readouterr().out)[0]["last_decision"]["reason"] == "Drifted and hurt."


def test_status_tells_how_far_a_window_has_come(two: Home, capsys: pytest.CaptureFixture[str]) -> None:
    verdict = Verdict(
        task="support", release="0002", window_id="0002-000001", started=1.0, ended=2.0, evaluated=3.0, rows=277,
        verdict="insufficient", run=0, alerting=False,
    )  # fmt: skip
    write_latest(two, "support", verdict)
    assert run(two, "status") == 0
    assert "insufficient (277 predictions so far)" in " ".join(capsys.readouterr().out.split())
