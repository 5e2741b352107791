"""What windows of a context say together, and where their second segments begin."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest
from tokenizers import Tokenizer, models, pre_tokenizers, processors

from service.engine.encoding import EncodedText, TextEncoder, TypedIds, segments_of
from service.engine.questions import settle_answer
from service.engine.settled import RowOutput

WORDS = ("[CLS]", "[SEP]", "[UNK]", "who", "is", "it", "ann", "bob", "and", "so", "on")
MANIFEST = SimpleNamespace(labels=("no-answer", "answer"), temperature=1.0, null_threshold=1.0)
CONTEXT = "and so on and so it is ann bob"


@pytest.fixture
def encoder() -> TextEncoder:
    made = Tokenizer(models.WordLevel({word: place for place, word in enumerate(WORDS)}, unk_token="[UNK]"))
    made.pre_tokenizer = pre_tokenizers.Whitespace()
    made.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]", pair="[CLS] $A [SEP] $B:1 [SEP]:1", special_tokens=[("[CLS]", 0), ("[SEP]", 1)]
    )
    return TextEncoder(made, 9)


@pytest.fixture
def encoded(encoder: TextEncoder) -> EncodedText:
    return encoder.encode_questions([f"who is it\n{CONTEXT}"], 2)[0]


def said(encoded: EncodedText, word: str, lead: float) -> list[RowOutput]:
    """One word is the answer, by so much, in every window that holds it; logits are wider than the rows."""
    found = []
    for number, row in enumerate(encoded.rows):
        logits = np.zeros((len(row) + 3, 2), dtype=np.float32)
        logits[len(row) :] = 99.0
        logits[[place for place, token in enumerate(row) if token == WORDS.index(word)]] = lead / 2
        found.append(RowOutput(logits, np.zeros(3), np.full(4, float(number), dtype=np.float32)))
    return found


def test_the_rows_of_a_question_are_its_windows(encoded: EncodedText) -> None:
    assert len(encoded.rows) > 2
    assert all(len(row) <= 9 for row in encoded.rows)
    assert encoded.ids == encoded.rows[0]
    assert encoded.length == 3 + len(CONTEXT.split()) + 3
    assert not encoded.is_cut(9)


def test_a_question_too_long_for_a_row_is_cut(encoder: TextEncoder) -> None:
    long, short = encoder.encode_questions(["who is it who is it\nann", "who\nann"], 2)
    assert long.is_cut(9)
    assert not short.is_cut(9)


def test_texts_without_windows_are_one_row(encoder: TextEncoder) -> None:
    text = encoder.encode(["who is it"])[0]
    assert text.rows == [text.ids]
    assert encoder.encode(["so " * 20])[0].is_cut(9)


def test_an_answer_is_told_with_its_place_in_the_context(encoded: EncodedText) -> None:
    found = settle_answer(encoded, said(encoded, "ann", 20.0), MANIFEST)
    assert found.label == "answer"
    assert found.fields["answer"] == "ann" == CONTEXT[found.fields["start"] : found.fields["end"]]
    assert found.logits.tolist() == [0.0, 20.0]
    assert found.projection.tolist() == [(len(encoded.rows) - 1) / 2] * 4
    assert found.score > 0.9
    assert found.fields["score"] == round(found.score, 6)


def test_below_the_threshold_there_is_none(encoded: EncodedText) -> None:
    found = settle_answer(encoded, said(encoded, "ann", 0.9), MANIFEST)
    assert found.label == "no-answer"
    assert (found.fields["answer"], found.fields["start"], found.fields["end"]) == ("", 0, 0)
    assert 0 < found.score < 0.2


def test_token_types_are_those_of_the_windows(encoded: EncodedText) -> None:
    rows = [TypedIds([5, 6, 7], [0, 1, 1]), [5, 6], TypedIds([5, 6, 7, 8], [0, 0, 1, 1])]
    assert segments_of(rows, 5).tolist() == [[0, 1, 1, 0, 0], [0] * 5, [0, 0, 1, 1, 0]]
    width = max(map(len, encoded.rows))
    for types, window in zip(segments_of(encoded.rows, width), encoded.windows, strict=True):
        assert types.tolist() == window.type_ids + [0] * (width - len(window.ids))
