"""Entities that were found, held against the true ones."""

from __future__ import annotations

import numpy as np

from contracts.entities import Entities, Entity, Word
from training.artefact.onnx_artefact import Tokenized
from training.data.bio import Span
from training.data.tagged import TaggedRow, tagged_row
from training.kinds.entity_analysis import TaggedPart, place_entities, suspect_tags, tell_mistakes
from training.kinds.token_rows import Pieces, TaggedOutputs

TAGS = ("O", "B-money", "I-money", "B-way", "I-way")
NO_SUSPECTS = suspect_tags([], TAGS, 1.0, with_texts=True)


def row(text: str, tags: str, line: int) -> TaggedRow:
    """Tags as their first letters, such as `om-w`: a dash goes on with what stands before."""
    names, opened = [], ""
    for letter in tags:
        opened = {"m": "money", "w": "way", "o": ""}.get(letter, opened)
        names.append("O" if not opened else f"{'I' if letter == '-' else 'B'}-{opened}")
    offsets, at = [], 0
    for token in text.split():
        offsets.append((at, at + len(token)))
        at += len(token) + 1
    return tagged_row(text, tuple(offsets), names, "/home/x/rows.jsonl", line)


ROWS = [row("my refund late is here", "om-oo", 2), row("the courier was my card", "owoom", 3), row("hello", "o", 4)]
READ = [
    # The same type with another extent; another type, and one that is missed; one out of nothing.
    Entities((Entity(3, 9, "money", 0.7),), 0.7),
    Entities((Entity(4, 11, "money", 0.9),), 0.9),
    Entities((Entity(0, 5, "way", 0.8),), 0.8),
]


def test_an_entity_is_right_when_its_type_and_extent_are() -> None:
    found = place_entities([Entities((Entity(3, 14, "money", 0.7), Entity(15, 17, "way", 0.4)), 0.5)], ROWS[:1])
    assert [one.right for one in found] == [True, False]
    assert found[0].touched == (Span(3, 14, "money"),)
    assert found[1].touched == ()
    # What begins in no token is judged by nothing.
    assert place_entities([Entities((Entity(2, 3, "way", 0.4),), 0.4)], ROWS[:1]) == []


def test_the_surest_wrong_entities_come_first_and_types_are_told_apart() -> None:
    told = tell_mistakes(place_entities(READ, ROWS), ROWS, NO_SUSPECTS, with_texts=True).details
    shown = [(one["line"], one["wanted"], one["answer"], one["text"]) for one in told["errors"]["surest"]]
    assert shown == [
        (3, "way: courier", "money: courier", "the [courier] was my card"),
        (4, "(no entity)", "way: hello", "[hello]"),
        (2, "money: refund late", "money: refund", "my [refund] late is here"),
    ]
    assert {(one["truth"], one["predicted"], one["rows"], one["share"]) for one in told["confusions"]} == {
        ("way", "money", 1, 1.0),
        ("(no entity)", "way", 1, 1 / 3),
        ("money", "the same, of another extent", 1, 0.5),
        ("money", "(no entity)", 1, 0.5),
    }


def test_types_alone_are_told_where_texts_are_kept_out() -> None:
    told = tell_mistakes(place_entities(READ, ROWS), ROWS, NO_SUSPECTS, with_texts=False)
    assert [(one["wanted"], one["answer"]) for one in told.details["errors"]["surest"]] == [
        ("way", "money"),
        ("(no entity)", "way"),
        ("money", "money"),
    ]
    assert not any(word in repr(told) for word in ("courier", "refund", "hello"))


def test_a_word_that_surely_has_another_tag_is_suspected() -> None:
    rows = [row("my card", "om", 2 + place) for place in range(30)] + [row("my card", "ow", 32)]
    logits = np.full((3, 5), -4.0, dtype=np.float32)
    logits[1, 0] = logits[2, 1] = 4.0
    surer = np.where(logits > 0, 6.0, logits).astype(np.float32)
    words = (Word(0, 2, 1), Word(3, 7, 2))
    nothing = np.zeros(len(rows), dtype=np.float32)
    tokenized = Tokenized([[1, 2, 3]] * len(rows), nothing.astype(np.int64), nothing, nothing)
    outputs = TaggedOutputs(Pieces(tokenized, [words] * len(rows)), [logits] * 30 + [surer], nothing[:, None])
    found = suspect_tags([TaggedPart("test", rows, outputs)], TAGS, 1.0, with_texts=True)
    assert (found.examined, found.found) == (62, 1)
    (suspect,) = found.rows
    assert (suspect.line, suspect.label, suspect.answer, suspect.text) == (32, "B-way", "B-money", "my [card]")
    (silent,) = suspect_tags([TaggedPart("test", rows, outputs)], TAGS, 1.0, with_texts=False).rows
    assert silent.text is None
