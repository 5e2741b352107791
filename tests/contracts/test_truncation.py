"""A long text is cut as the truncation of `tokenizers` cuts it."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tokenizers import Tokenizer
from tokenizers.models import WordLevel
from tokenizers.pre_tokenizers import Whitespace
from tokenizers.processors import TemplateProcessing

from contracts.truncation import cut

WORDS = ["<s>", "</s>", "<mask>", "a", "b", "c", "<unk>"]


def tokenizer_of(template: str) -> Tokenizer:
    vocabulary = {word: number for number, word in enumerate(WORDS)}
    made = Tokenizer(WordLevel(vocabulary, unk_token="<unk>"))
    made.add_special_tokens(WORDS[:3])
    made.pre_tokenizer = Whitespace()
    made.post_processor = TemplateProcessing(single=template, special_tokens=[("<s>", 0), ("</s>", 1)])
    return made


@pytest.mark.parametrize("template", ["<s> $A </s>", "$A </s>", "<s> $A", "<s> $A </s> </s>", "$A"])
@given(
    words=st.lists(st.sampled_from(["a", "b", "c", "unknown", "<mask>", "</s>"]), max_size=12), most=st.integers(4, 9)
)
def test_a_text_is_cut_as_tokenizers_cut_it(template: str, words: list[str], most: int) -> None:
    text = " ".join(words)
    whole = tokenizer_of(template).encode(text)
    truncating = tokenizer_of(template)
    truncating.enable_truncation(most)
    wanted = truncating.encode(text)
    assert cut(whole.ids, whole, most) == wanted.ids
    assert cut(whole.offsets, whole, most) == wanted.offsets
