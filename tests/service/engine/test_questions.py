"""What windows of a context say together, and where their second segments begin."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest
from tokenizers import Tokenizer, models, pre_tokenizers, processors

from service.engine.questions import EncodedQuestion, PairIds, Question, encode_questions, find_answer, segments_of

WORDS = ("[CLS]", "[SEP]", "[UNK]", "who", "is", "it", "ann", "bob", "and", "so", "on")
MANIFEST = SimpleNamespace(
    max_tokens=9, temperature=1.0, null_threshold=1.0, spec=SimpleNamespace(model=SimpleNamespace(stride=2))
)


@pytest.fixture
def tokenizer() -> Tokenizer:
    made = Tokenizer(models.WordLevel({word: place for place, word in enumerate(WORDS)}, unk_token="[UNK]"))
    made.pre_tokenizer = pre_tokenizers.Whitespace()
    made.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]", pair="[CLS] $A [SEP] $B:1 [SEP]:1", special_tokens=[("[CLS]", 0), ("[SEP]", 1)]
    )
    return made


@pytest.fixture
def encoded(tokenizer: Tokenizer) -> EncodedQuestion:
    asked = Question("who is it", "and so on and so it is ann bob")
    return encode_questions(tokenizer, [asked], MANIFEST, 2)[0]


def said(encoded: EncodedQuestion, word: str, lead: float) -> list[np.ndarray]:
    """Logits by which one word is the answer, by so much, in every window that holds it; wider than the rows."""
    found = []
    for row in encoded.rows:
        logits = np.zeros((len(row) + 3, 2), dtype=np.float32)
        logits[len(row) :] = 99.0
        logits[[place for place, token in enumerate(row) if token == WORDS.index(word)]] = lead / 2
        found.append(logits)
    return found


def test_the_rows_of_a_question_are_its_windows(encoded: EncodedQuestion) -> None:
    assert len(encoded.rows) > 2
    assert all(len(row) <= 9 for row in encoded.rows)
    assert encoded.asked.text == "who is it\nand so on and so it is ann bob"


def test_an_answer_is_told_with_its_place_in_the_context(encoded: EncodedQuestion) -> None:
    embeddings = [np.full(4, float(place), dtype=np.float32) for place in range(len(encoded.rows))]
    found = find_answer(encoded, said(encoded, "ann", 20.0), embeddings, MANIFEST)
    assert (found.answer, found.label) == ("ann", 1)
    assert encoded.asked.context[found.start : found.end] == "ann"
    assert found.logits.tolist() == [0.0, 20.0]
    assert found.embedding.tolist() == [(len(encoded.rows) - 1) / 2] * 4
    assert found.score > 0.9


def test_below_the_threshold_there_is_none(encoded: EncodedQuestion) -> None:
    found = find_answer(encoded, said(encoded, "ann", 0.9), [np.zeros(4)] * len(encoded.rows), MANIFEST)
    assert (found.answer, found.start, found.end, found.label) == ("", 0, 0, 0)
    assert 0 < found.score < 0.2


def test_token_types_change_where_the_second_text_begins(encoded: EncodedQuestion) -> None:
    rows = [PairIds([5, 6, 7], 1), [5, 6], PairIds([5, 6, 7, 8], 2)]
    assert segments_of(rows, 5).tolist() == [[0, 1, 1, 0, 0], [0] * 5, [0, 0, 1, 1, 0]]
    width = max(map(len, encoded.rows))
    for types, window in zip(segments_of(encoded.rows, width), encoded.read.windows, strict=True):
        assert types.tolist() == window.type_ids + [0] * (width - len(window.ids))
