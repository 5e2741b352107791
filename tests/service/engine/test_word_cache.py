"""Words that were read before: never anything else than what the tokenizer says."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from tokenizers import AddedToken, Tokenizer, models, normalizers, pre_tokenizers, processors

from service.engine.encoding import TextEncoder
from service.engine.word_cache import WordCache, word_cache_of

PIECES = [
    "[UNK]",
    "[CLS]",
    "[SEP]",
    "[MASK]",
    *"abcdeinostz.,?-'¡é",
    "##s",
    "##t",
    "##o",
    "not",
    "is",
    "▁",
    "▁no",
    "中",
]


def made(model: models.Model, normalizer: object, pre_tokenizer: object) -> Tokenizer:
    tokenizer = Tokenizer(model)
    tokenizer.normalizer = normalizer
    tokenizer.pre_tokenizer = pre_tokenizer
    tokenizer.add_special_tokens(["[CLS]", "[SEP]", "[MASK]"])
    tokenizer.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]", special_tokens=[("[CLS]", 1), ("[SEP]", 2)]
    )
    return tokenizer


def word_piece(normalizer: object = None, pre_tokenizer: object = None) -> Tokenizer:
    vocabulary = {piece: number for number, piece in enumerate(PIECES)}
    return made(models.WordPiece(vocabulary, unk_token="[UNK]"), normalizer, pre_tokenizer)


def unigram(pre_tokenizer: object) -> Tokenizer:
    scores = [(piece, -float(number + 1)) for number, piece in enumerate(PIECES)]
    return made(models.Unigram(scores, unk_id=0), normalizers.NFKC(), pre_tokenizer)


CACHED = {
    "bert": lambda: word_piece(normalizers.BertNormalizer(), pre_tokenizers.BertPreTokenizer()),
    "cased": lambda: word_piece(normalizers.BertNormalizer(lowercase=False), pre_tokenizers.BertPreTokenizer()),
    "words": lambda: word_piece(
        normalizers.Sequence([normalizers.NFKD(), normalizers.Lowercase(), normalizers.StripAccents()]),
        pre_tokenizers.Sequence([pre_tokenizers.Whitespace(), pre_tokenizers.Digits()]),
    ),
    "sentence pieces": lambda: unigram(
        pre_tokenizers.Sequence([pre_tokenizers.WhitespaceSplit(), pre_tokenizers.Metaspace(prepend_scheme="always")])
    ),
}
TOKENIZERS = {name: make() for name, make in CACHED.items()}

words = st.text(st.sampled_from("abnotS.?'-\t\u00a0\u0301\u200d\u0e33é中🙂1\u2028"), max_size=6) | st.sampled_from(
    ["", "not", "[MASK]", "[UNK]", "a" * 40]
)
texts = st.lists(words, max_size=8).map(" ".join) | st.text(max_size=20)


@pytest.mark.parametrize("name", CACHED)
@given(asked=st.lists(texts, min_size=1, max_size=6))
@example(asked=["", " ", "  not  is ", "not\u0301 \u0301not", "is [MASK]not", "¨ a"])
def test_a_known_text_has_the_tokens_that_the_tokenizer_gives_it(name: str, asked: list[str]) -> None:
    cache = word_cache_of(TOKENIZERS[name])
    assert cache is not None
    for text in asked * 4:
        ids = cache.ids(text)
        assert ids is None or ids == TOKENIZERS[name].encode(text).ids
    short = [text for text in asked if all(len(word) < 30 for word in text.split(" "))]
    assert all(cache.ids(text) is not None for text in short), "after four times every word is known"


@pytest.mark.parametrize("name", CACHED)
@given(asked=st.lists(texts, min_size=1, max_size=4), most=st.integers(3, 20))
def test_what_is_known_of_a_text_is_the_same_with_and_without_words_known(
    name: str, asked: list[str], most: int
) -> None:
    cached, plain = (TextEncoder(Tokenizer.from_str(TOKENIZERS[name].to_str()), most) for _ in range(2))
    plain._words = None
    wanted = plain.encode(asked)
    assert [cached.encode(asked) for _ in range(4)] == [wanted] * 4


def refused() -> dict[str, Callable[[], Tokenizer]]:
    def with_token(token: AddedToken) -> Tokenizer:
        tokenizer = CACHED["bert"]()
        tokenizer.add_tokens([token])
        return tokenizer

    def special_within() -> Tokenizer:
        tokenizer = CACHED["bert"]()
        tokenizer.post_processor = processors.TemplateProcessing(single="$A [SEP] $A", special_tokens=[("[SEP]", 2)])
        return tokenizer

    bert = normalizers.BertNormalizer()
    return {
        "byte level": lambda: word_piece(None, pre_tokenizers.ByteLevel()),
        "spaces belong to pieces": lambda: unigram(pre_tokenizers.Metaspace()),
        "the first word is another": lambda: unigram(
            pre_tokenizers.Sequence(
                [pre_tokenizers.WhitespaceSplit(), pre_tokenizers.Metaspace(prepend_scheme="first")]
            )
        ),
        "nothing splits": lambda: word_piece(bert, None),
        "a pattern is replaced": lambda: word_piece(
            normalizers.Sequence([normalizers.Replace("o s", "x"), bert]), pre_tokenizers.BertPreTokenizer()
        ),
        "a token with a space": lambda: with_token(AddedToken("not is")),
        "a token that is read as one": lambda: with_token(AddedToken("\n", normalized=True)),
        "special tokens within": special_within,
        "a token that takes spaces": lambda: with_token(AddedToken("<x>", lstrip=True)),
        "merges at random": lambda: made(
            models.BPE({"a": 0, "[CLS]": 1, "[SEP]": 2}, [], dropout=0.1), None, pre_tokenizers.Whitespace()
        ),
    }


@pytest.mark.parametrize("name", refused())
def test_tokenizers_that_look_beyond_a_word_are_left_to_themselves(name: str) -> None:
    assert word_cache_of(refused()[name]()) is None


def test_it_stays_small_and_keeps_what_is_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    tokenizer = TOKENIZERS["bert"]
    asked: list[str] = []

    class Noted:
        def encode(self, word: str, *, add_special_tokens: bool) -> object:
            asked.append(word)
            return tokenizer.encode(word, add_special_tokens=add_special_tokens)

    cache = WordCache(tokenizer, [1], [2], most=10)
    monkeypatch.setattr(cache, "_tokenizer", Noted())
    for number in range(200):
        assert cache.ids(f"not w{number}") == tokenizer.encode(f"not w{number}").ids
    assert asked.count("not") == 1
    assert len(cache._young) + len(cache._old) <= 20
