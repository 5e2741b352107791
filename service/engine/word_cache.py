"""Token ids of words that were read before: most texts hold few others, and to look them up costs a tenth.

Only of tokenizers that read what stands between two spaces by itself, whatever stands around it: those of BERT and its
kin. Whatever is not known to keep that (byte-level pieces, replacements by pattern) is left to the tokenizer.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from itertools import chain
from typing import Any

from tokenizers import AddedToken, Tokenizer

_MOST_WORDS = 16_384
_MOST_CHARS = 32
# Read one by one; with more unknown words the tokenizer is faster over the whole text.
_FEW = 2

_BY_CHARACTER = frozenset({"BertNormalizer", "Lowercase", "StripAccents", "NFC", "NFD", "NFKC", "NFKD"})
_AT_SPACES = frozenset({"BertPreTokenizer", "Whitespace", "WhitespaceSplit"})
_WITHIN_WORDS = _AT_SPACES | {"Punctuation", "Digits", "Metaspace"}
_MODELS = frozenset({"WordPiece", "WordLevel", "Unigram", "BPE"})


class WordCache:
    """Of one tokenizer. Its methods may be called from several threads at once."""

    def __init__(self, tokenizer: Tokenizer, opening: list[int], closing: list[int], most: int = _MOST_WORDS) -> None:
        self._tokenizer = tokenizer
        self._opening = opening  # special tokens
        self._closing = closing
        self._most = most
        # Two generations: what was not asked for while the young one filled up is forgotten.
        self._young: dict[str, list[int]] = {}
        self._old: dict[str, list[int]] = {}

    def ids(self, text: str) -> list[int] | None:
        """All of a text, special tokens included; None where too much of it is new, or too long for a word."""
        try:
            words = map(self._young.__getitem__, text.split(" "))
            return [*self._opening, *chain.from_iterable(words), *self._closing]
        except KeyError:
            return self.ids(text) if self._learn(text) else None

    def _learn(self, text: str) -> bool:
        """Whether all of its words are known now."""
        if len(self._young) >= self._most:
            self._young, self._old = {}, self._young
        young, old = self._young, self._old
        left = _FEW
        for word in dict.fromkeys(text.split(" ")):
            if word in young:
                continue
            known = old.get(word)
            if known is None:
                if not left or len(word) > _MOST_CHARS:
                    return False
                left -= 1
                known = self._tokenizer.encode(word, add_special_tokens=False).ids
            young[word] = known
        return True


def word_cache_of(tokenizer: Tokenizer) -> WordCache | None:
    """None where a word's tokens may depend on what stands around it."""
    added = tokenizer.get_added_tokens_decoder().values()
    around = tokenizer.encode("a")
    mask = around.special_tokens_mask
    if 0 not in mask:
        return None
    opening, closing = around.ids[: mask.index(0)], around.ids[len(mask) - mask[::-1].index(0) :]
    reads_words = (
        all(step["type"] in _BY_CHARACTER for step in _steps(tokenizer.normalizer))
        and _splits_at_spaces(_steps(tokenizer.pre_tokenizer))
        and type(tokenizer.model).__name__ in _MODELS
        and not getattr(tokenizer.model, "dropout", None)
        and not any(_takes_spaces(tokenizer, token) for token in added)
        # Special tokens stand around a text, and nowhere within.
        and around.ids == [*opening, *tokenizer.encode("a", add_special_tokens=False).ids, *closing]
    )
    return WordCache(tokenizer, opening, closing) if reads_words else None


def _takes_spaces(tokenizer: Tokenizer, token: AddedToken) -> bool:
    """Whether it is found across words: as it is written, or where a text is normalized as it is itself."""
    found: str = token.content
    if token.normalized and tokenizer.normalizer is not None:
        found += tokenizer.normalizer.normalize_str(token.content)
    return " " in found or token.lstrip or token.rstrip


def _splits_at_spaces(steps: list[Mapping[str, Any]]) -> bool:
    return (
        bool(steps)
        and steps[0]["type"] in _AT_SPACES
        and all(step["type"] in _WITHIN_WORDS for step in steps)
        # Any other scheme looks at where in the text a word stands.
        and all(step.get("prepend_scheme", "always") == "always" for step in steps)
    )


def _steps(part: Any) -> list[Mapping[str, Any]]:
    """A normalizer or pre-tokenizer as a tokenizer's file has it, sequences taken apart."""
    return [] if part is None else _flat(json.loads(part.__getstate__()))


def _flat(step: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    inner = step.get("normalizers") or step.get("pretokenizers")
    return [step] if inner is None else [one for each in inner for one in _flat(each)]
