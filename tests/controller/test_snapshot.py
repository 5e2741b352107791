from __future__ import annotations

import time
from typing import Any

import pytest

from contracts.home import Home
from contracts.log import segment_path
from contracts.records import FeedbackRecord, PredictionRecord
from contracts.release import Manifest
from contracts.rollout import promote, read_rollout, rollback, try_canary
from controller.evidence import serving_since
from controller.snapshot import collect, count_feedback

LABELS = ("billing", "delivery", "other")
THEN = 1_800_000_000.0


def add_feedback(home: Home, identity: str, label: str, moment: float) -> None:
    path = segment_path(home.feedback("support"), "z", moment)
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("a") as file:
        file.write(FeedbackRecord(id=identity, time=moment, task="support", label=label).model_dump_json() + "\n")


def add_prediction(
    home: Home, identity: str, text: str, moment: float, role: str = "stable", writer: str = "v"
) -> None:
    path = segment_path(home.predictions("support"), writer, moment)
    path.parent.mkdir(parents=True, exist_ok=True)
    made = PredictionRecord(
        id=identity, time=moment, task="support", release="0001" if role == "stable" else "0002", role=role, text=text,
        length=7, unknown_share=0.5, fragmentation=1.5, label="other", score=0.6,
        logits=(0.1, 0.2, 0.3), projection=(0.0, 0.0), latency_ms=1.0,
    )  # fmt: skip
    with path.open("a") as file:
        file.write(made.model_dump_json() + "\n")


def test_feedback_is_joined_by_id(home: Home, write_log: Any) -> None:
    write_log(home, rows=10, labelled=4, start=THEN)
    found = collect(home, "support", THEN, LABELS)
    assert [row.text[-1] for row in found.labelled] == ["0", "1", "2", "3"]
    assert {row.label for row in found.labelled} == {"billing"}
    assert [text[-1] for text in found.unlabelled] == ["4", "5", "6", "7", "8", "9"]
    assert count_feedback(home, "support", THEN) == 4
    assert found.left_out() == ""


def test_the_latest_feedback_of_a_prediction_counts_however_it_is_ordered_on_disk(home: Home, write_log: Any) -> None:
    write_log(home, rows=2, labelled=2, start=THEN)
    add_feedback(home, "a0", "delivery", THEN + 50)
    add_feedback(home, "a1", "delivery", THEN + 0.5)
    found = collect(home, "support", THEN, LABELS)
    assert [row.label for row in found.labelled] == ["delivery", "billing"]


def test_only_records_since_the_champion_serves(home: Home, write_log: Any) -> None:
    write_log(home, rows=5, labelled=5, start=THEN - 2 * 86400, name="old", texts=lambda n: f"old {n}")
    write_log(home, rows=5, labelled=5, start=THEN - 60, name="before", texts=lambda n: f"before {n}")
    write_log(home, rows=5, labelled=5, start=THEN, name="after", texts=lambda n: f"after {n}")
    found = collect(home, "support", THEN, LABELS)
    assert [row.text for row in found.labelled] == [f"after {n}" for n in range(5)]
    assert not found.unlabelled
    assert len(collect(home, "support", THEN - 61, LABELS).labelled) == 10
    assert count_feedback(home, "support", THEN) == 5


def test_a_text_is_kept_once_with_its_latest_label(home: Home, write_log: Any) -> None:
    write_log(home, rows=3, labelled=3, start=THEN, texts=lambda n: "same  text" if n else "same text")
    write_log(home, rows=4, labelled=1, start=THEN + 60, name="b", label="other", texts=lambda _: "same text")
    found = collect(home, "support", THEN, LABELS)
    assert [(row.text, row.label) for row in found.labelled] == [("same text", "other")]
    assert found.unlabelled == ()
    assert found.repeated == 3


@pytest.mark.parametrize(("first", "second"), [("v", "z"), ("z", "v")])
def test_of_predictions_with_one_id_the_latest_counts_whichever_worker_wrote_it(
    home: Home, first: str, second: str
) -> None:
    add_prediction(home, "ticket-1", "the first text", THEN + 1, writer=first)
    add_prediction(home, "ticket-1", "the second text", THEN + 2, writer=second)
    add_prediction(home, "ticket-2", "another text", THEN + 1.5, writer=second)
    for identity in ("ticket-1", "ticket-2"):
        add_feedback(home, identity, "billing", THEN + 3)
    found = collect(home, "support", THEN, LABELS)
    assert [(row.text, row.time) for row in found.labelled] == [
        ("another text", THEN + 1.5),
        ("the second text", THEN + 2),
    ]
    assert (found.unlabelled, found.repeated) == ((), 0)
    assert count_feedback(home, "support", THEN) == 2


def test_a_shadow_teaches_nothing_and_a_canary_what_it_was_told(home: Home) -> None:
    add_prediction(home, "a", "asked of the stable one", THEN + 1)
    add_prediction(home, "b", "asked of the stable one", THEN + 1, role="shadow")
    add_prediction(home, "c", "seen by a shadow alone", THEN + 1, role="shadow")
    add_prediction(home, "d", "asked of the canary", THEN + 1, role="canary")
    # Asked for by its version, a shadow has answered somebody, who may tell what was right.
    add_prediction(home, "e", "asked of the shadow", THEN + 1, role="requested")
    for identity in ("b", "c", "d", "e"):
        add_feedback(home, identity, "billing", THEN + 3)
    found = collect(home, "support", THEN, LABELS)
    assert [row.text for row in found.labelled] == ["asked of the canary", "asked of the shadow"]
    assert found.unlabelled == ("asked of the stable one",)


def test_what_cannot_be_used_is_counted_and_said(home: Home, write_log: Any) -> None:
    write_log(home, rows=3, labelled=2, start=THEN, digest=True)
    write_log(home, rows=3, labelled=3, start=THEN, name="b", label="unheard-of", texts=lambda n: f"b {n}")
    path = segment_path(home.predictions("support"), "w", THEN)
    with path.open("ab") as file:
        file.write(b'{"broken": \xff\n{"torn": ')
    found = collect(home, "support", THEN, LABELS)
    assert not found.labelled
    assert (found.digests, found.unknown_labels, found.malformed) == (2, 3, 1)
    for words in ("2 hold only a digest", "3 have a label that the release does not know", "1 are malformed"):
        assert words in found.left_out()


def test_an_empty_home_has_nothing(home: Home) -> None:
    assert collect(home, "support", THEN, LABELS).labelled == ()
    assert count_feedback(home, "support", THEN) == 0


def test_a_release_that_a_rollback_brought_back_counts_from_its_first_promotion(home: Home, make_release: Any) -> None:
    for number in range(2):
        made: Manifest = make_release(home)
        promote(home, "support", made.version, by="test", reason="r", now=THEN + number * 100)
    rollout = read_rollout(home, "support")
    assert rollout is not None
    assert serving_since(rollout, 0.0) == THEN + 100
    tried = try_canary(home, "support", "0001", 0.1, by="test", reason="r", now=THEN + 300)
    assert serving_since(tried, 0.0) == THEN + 100
    back = rollback(home, "support", by="test", reason="r", now=time.time())
    assert serving_since(back, 0.0) == THEN
    assert serving_since(back.model_copy(update={"history": ()}), 5.0) == pytest.approx(5.0)
