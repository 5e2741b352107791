"""Long contexts are read in windows that miss nothing, whatever the question."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors

from contracts.answer_spans import best_span
from contracts.question_windows import Window, read_question

VOCABULARY = {"[CLS]": 0, "[SEP]": 1, "[UNK]": 2, **{word: 3 + n for n, word in enumerate("abcdefghij")}}
WORDS = st.lists(st.sampled_from([*"abcdefghij", "unknown"]), max_size=60).map(" ".join)


def word_tokenizer() -> Tokenizer:
    tokenizer = Tokenizer(models.WordLevel(VOCABULARY, unk_token="[UNK]"))
    tokenizer.normalizer = normalizers.Lowercase()
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    tokenizer.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]", pair="[CLS] $A [SEP] $B:1 [SEP]:1", special_tokens=[("[CLS]", 0), ("[SEP]", 1)]
    )
    return tokenizer


TOKENIZER = word_tokenizer()


@given(question=WORDS, context=WORDS, max_tokens=st.integers(8, 40), stride=st.integers(0, 40))
def test_windows_keep_to_their_length_and_miss_no_token(
    question: str, context: str, max_tokens: int, stride: int
) -> None:
    read = read_question(TOKENIZER, question, context, max_tokens=max_tokens, stride=stride, unknown=2)
    assert all(len(window.ids) <= max_tokens for window in read.windows)
    seen = [span for window in read.windows for span in window.spans]
    wanted = TOKENIZER.encode(context, add_special_tokens=False).offsets
    assert sorted(set(seen)) == wanted
    assert read.length == len(question.split()) + len(context.split()) + 3
    words = [*question.split(), *context.split()]
    assert read.unknown_share == pytest.approx(words.count("unknown") / len(words) if words else 0.0)
    assert read.question_cut == (len(question.split()) > max_tokens // 3)


@given(context=WORDS, stride=st.integers(0, 40))
def test_each_window_is_the_question_then_a_stretch_of_the_context(context: str, stride: int) -> None:
    read = read_question(TOKENIZER, "a b", context, max_tokens=12, stride=stride)
    for window in read.windows:
        assert window.ids[:4] == [0, 3, 4, 1]
        assert window.first == 4 or not window.spans
        assert window.ids[-1] == 1
        shown = [context[start:end] for start, end in window.spans]
        assert window.ids[4:-1] == [VOCABULARY.get(word, 2) for word in shown]
        assert window.type_ids == [0] * 4 + [1] * (len(window.ids) - 4)


def test_neighbours_share_as_many_tokens_as_asked_and_at_most_half_of_a_window() -> None:
    context = " ".join("abcdefghij" * 4)

    def shared(stride: int) -> int:
        first, second = read_question(TOKENIZER, "a", context, max_tokens=20, stride=stride).windows[:2]
        return len(set(first.spans) & set(second.spans))

    assert [shared(0), shared(5), shared(100)] == [0, 5, 8]


def window(first: int, length: int, offset: int = 0) -> Window:
    spans = [(offset + 2 * n, offset + 2 * n + 1) for n in range(length)]
    return Window([0] * (first + length + 1), [0] * (first + length + 1), first, spans)


@given(
    lengths=st.lists(st.integers(0, 12), min_size=1, max_size=3),
    longest=st.integers(1, 6),
    seed=st.integers(0, 2**16),
)
def test_the_best_span_is_the_one_that_trying_all_of_them_finds(lengths: list[int], longest: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    windows = [window(3, length, 100 * n) for n, length in enumerate(lengths)]
    logits = [rng.normal(size=(len(one.ids) + 2, 2)).astype(np.float32) for one in windows]
    found = best_span(windows, logits, longest=longest)
    tried = [
        (float(scores[3 + i, 0] + scores[3 + j, 1]), one.spans[i][0], one.spans[j][1])
        for one, scores in zip(windows, logits, strict=True)
        for i in range(len(one.spans))
        for j in range(i, min(i + longest, len(one.spans)))
    ]
    assert found.null == pytest.approx(min(float(scores[0].sum()) for scores in logits), abs=1e-6)
    if not tried:
        assert (found.start, found.end, found.is_answer(-1e9)) == (0, 0, False)
        return
    best = max(tried)
    assert (found.best, found.start, found.end) == (pytest.approx(best[0], abs=1e-6), *best[1:])
    assert found.is_answer(found.best - found.null - 0.01)
    assert not found.is_answer(found.best - found.null + 0.01)


@given(seed=st.integers(0, 2**16), temperature=st.floats(0.2, 20))
def test_scores_are_shares_of_all_that_could_be_answered(seed: int, temperature: float) -> None:
    rng = np.random.default_rng(seed)
    windows = [window(2, 5), window(2, 3, 100)]
    found = best_span(windows, [rng.normal(size=(8, 2)).astype(np.float32) for _ in windows])
    assert found.starts.shape == found.ends.shape == (9,)
    answered, refused = (found.score(answered=said, temperature=temperature) for said in (True, False))
    assert 0 < answered < 1
    assert 0 < refused < 1
    assert answered + refused <= 1 + 1e-9
    assert (answered > refused) == (found.best > found.null)


def test_a_token_that_two_windows_share_is_one_place() -> None:
    windows = [window(2, 4), Window([0] * 6, [0] * 6, 2, [(4, 5), (6, 7), (8, 9)])]
    logits = [np.zeros((7, 2), dtype=np.float32), np.zeros((6, 2), dtype=np.float32)]
    logits[0][4] = 5.0
    logits[1][2] = 6.0
    found = best_span(windows, logits)
    assert (found.start, found.end, found.best) == (4, 5, 12.0)
    assert found.starts.tolist() == [0.0, 0.0, 0.0, 6.0, 0.0, 0.0]
    assert found.score(answered=True, temperature=1.0) > 0.95
