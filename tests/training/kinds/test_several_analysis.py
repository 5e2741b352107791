"""Labels of texts that have several, each a choice by itself."""

from __future__ import annotations

import numpy as np

from training.artefact.onnx_artefact import Outputs, Tokenized
from training.data.multilabel import multi_label_row
from training.kinds.several_analysis import Choice, LabelledPart, suspect_labels, tell_mistakes

LABELS = ("money", "talk", "way")
CHOICE = Choice(LABELS, (0.5, 0.5, 0.5), 1.0)


def part(texts: list[tuple[str, tuple[str, ...]]], logits: list[list[float]]) -> LabelledPart:
    rows = [
        multi_label_row(text, labels, "/home/x/rows.jsonl", place + 2) for place, (text, labels) in enumerate(texts)
    ]
    nothing = np.zeros(len(rows), dtype=np.float32)
    tokenized = Tokenized([[1]] * len(rows), nothing.astype(np.int64), nothing, nothing)
    return LabelledPart("test", rows, Outputs(np.array(logits, dtype=np.float32), nothing[:, None], tokenized))


def test_what_was_left_out_and_what_was_given_instead() -> None:
    test = part(
        [("one", ("money",)), ("two", ("talk",)), ("three", ()), ("four", ("way", "money"))],
        [[3, -9, -9], [-9, -2, 4], [-9, 1, -9], [5, -9, -6]],
    )
    found = tell_mistakes(test, CHOICE, suspect_labels([test], CHOICE, with_texts=True), with_texts=True)
    told = found.details
    assert [(one["line"], one["text"], one["wanted"], one["answer"]) for one in told["errors"]["surest"]] == [
        (5, "four", "way", "not way"),
        (3, "two", "not way", "way"),
        (3, "two", "talk", "not talk"),
        (4, "three", "not talk", "talk"),
    ]
    scores = [one["score"] for one in told["errors"]["surest"]]
    assert scores == sorted(scores, reverse=True)
    assert all(0.5 <= score <= 1 for score in scores)
    assert {(one["truth"], one["predicted"], one["rows"]) for one in told["confusions"]} == {
        ("talk", "way", 1),
        ("(no label)", "talk", 1),
        ("way", "(no label)", 1),
    }
    assert "4 labels of 3 test texts" in repr(found.sections)
    silent = suspect_labels([test], CHOICE, with_texts=False)
    assert "four" not in repr(tell_mistakes(test, CHOICE, silent, with_texts=False))


def test_labels_that_are_missing_and_labels_that_should_not_be_there_are_suspected() -> None:
    texts = [(f"text {place}", ("money",) if place % 2 else ("talk",)) for place in range(40)]
    logits = [[4.0, -4.0, -6.0] if place % 2 else [-4.0, 4.0, -6.0] for place in range(40)]
    texts += [("missing", ()), ("too many", ("money", "talk"))]
    logits += [[6.0, -4.0, -6.0], [4.0, -6.0, -6.0]]
    found = suspect_labels([part(texts, logits)], CHOICE, with_texts=True)
    assert {(one.text, one.label, one.answer) for one in found.rows} == {
        ("missing", "not money", "money"),
        ("too many", "talk", "not talk"),
    }
    assert (found.examined, found.found) == (3 * 42, 2)
    assert {one.text for one in suspect_labels([part(texts, logits)], CHOICE, with_texts=False).rows} == {None}
