"""Tagged texts written otherwise keep their tags on their tokens."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from training.data.tagged import tagged_row
from training.evaluation.perturb import PERTURBATIONS, Perturbation
from training.kinds.tagged_writing import Judgeable, rewrite

WAYS = {one.name: one for one in PERTURBATIONS}
TEXT = 'My "Refund, late" is (here).'
OFFSETS = ((0, 2), (3, 4), (4, 10), (10, 11), (12, 16), (16, 17), (18, 20), (21, 22), (22, 26), (26, 27), (27, 28))
TAGS = ("O", "B-money", "I-money", "I-money", "I-money", "I-money", "O", "O", "O", "O", "O")


def judgeable() -> Judgeable:
    return Judgeable(tagged_row(TEXT, OFFSETS, TAGS, "rows.jsonl", 3), ("O",) * 11)


@pytest.mark.parametrize(
    ("way", "text", "entities"),
    [
        ("upper_case", 'MY "REFUND, LATE" IS (HERE).', ['"REFUND, LATE"']),
        ("lower_case", 'my "refund, late" is (here).', ['"refund, late"']),
        ("no_punctuation", "My Refund late is here", ["Refund late"]),
        ("more_punctuation", 'My "Refund, late" is (here)!!!', ['"Refund, late"']),
        ("truncation", 'My "Refund, late"', ['"Refund, late"']),
    ],
)
def test_tokens_keep_their_tags(way: str, text: str, entities: list[str]) -> None:
    found = rewrite(WAYS[way], judgeable(), 1)
    assert found.row.text == text
    assert [text[span.start : span.end] for span in found.row.spans] == entities
    assert len(found.given) == len(found.row.tags) == len(found.row.tokens)


def test_an_apostrophe_joins_what_it_stood_in() -> None:
    row = tagged_row("Tom's cat", ((0, 3), (3, 4), (4, 5), (6, 9)), ("B-x", "O", "O", "O"), "f", 1)
    assert rewrite(WAYS["no_punctuation"], Judgeable(row, row.tags), 1).row.text == "Toms cat"


def test_what_stays_the_same_is_the_same() -> None:
    row = tagged_row("?!", ((0, 1), (1, 2)), ("O", "O"), "f", 1)
    for way in ("no_punctuation", "upper_case", "typos"):
        assert rewrite(WAYS[way], one := Judgeable(row, row.tags), 1) is one
    empty = Judgeable(tagged_row("", (), (), "f", 1), ())
    assert rewrite(WAYS["emoji"], empty, 1) is empty


words = st.text(st.characters(categories=("L", "N", "P", "So")), min_size=1, max_size=6)


@given(
    st.lists(st.tuples(words, st.sampled_from(["O", "B-a", "B-b"]), st.sampled_from(["", " ", "  "])), min_size=1),
    st.sampled_from(PERTURBATIONS),
    st.integers(0, 9),
)
def test_any_text_is_a_row_again(tokens: list[tuple[str, str, str]], way: Perturbation, seed: int) -> None:
    text, offsets = "", []
    for token, _, gap in tokens:
        offsets.append((len(text), len(text) + len(token)))
        text += token + gap
    tags = tuple(tag for _, tag, _ in tokens)
    found = rewrite(way, Judgeable(tagged_row(text, tuple(offsets), tags, "f", 1), tags), seed)
    assert 1 <= len(found.row.tokens) <= len(tokens)
    assert all(token == token.strip() != "" for token in found.row.tokens)
    assert [found.row.text[start:end] for start, end in found.row.offsets] == list(found.row.tokens)
    assert rewrite(way, found, seed).row.text.strip()
