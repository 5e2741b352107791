"""In which scripts and languages texts are written."""

from __future__ import annotations

import unicodedata
from collections import Counter
from collections.abc import Iterable
from functools import cache

UNSURE = "unsure"
_NO_LETTERS = "no letters"
_SURE = 0.5  # of banking77's and clinc150's texts 95 % and 92 % are above, 1 in 200 of them wrongly named
_CHARACTERS = 1000


def scripts(texts: Iterable[str]) -> dict[str, int]:
    """Script -> texts that are written in it for the most part, the commonest first."""
    return dict(Counter(script_of(text) for text in texts).most_common())


def languages(texts: Iterable[str]) -> dict[str, int]:
    """ISO 639-1 code -> texts, the commonest first; `unsure` for those too short or too mixed to tell."""
    return dict(Counter(language_of_each(texts)).most_common())


def language_of_each(texts: Iterable[str]) -> list[str]:
    """The ISO 639-1 code of each text, or `unsure`. By py3langid, from its model on disk."""
    # A model of some megabytes, of use to this report alone.
    from py3langid.langid import MODEL_FILE, LanguageIdentifier

    identifier = LanguageIdentifier.from_model_file(MODEL_FILE, norm_probs=True)
    found = (identifier.classify(text[:_CHARACTERS]) for text in texts)
    return [str(language) if probability >= _SURE else UNSURE for language, probability in found]


def script_of(text: str) -> str:
    """The script of most of a text's letters, as Unicode's names call it, such as Latin."""
    counts = Counter(_script(character) for character in text[:_CHARACTERS] if character.isalpha())
    return counts.most_common(1)[0][0] if counts else _NO_LETTERS


@cache
def _script(character: str) -> str:
    """The first word of a letter's name, which is its script."""
    return unicodedata.name(character, "unknown").partition(" ")[0].capitalize().replace("Cjk", "CJK")
