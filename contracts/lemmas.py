"""Words as their dictionary form, for tasks that ask for it (`lemmas` in `[clean]`), by simplemma.

A tokenizer that wants its texts so says it in a note: the first of its steps is a replacement that never matches, and
what it would put there is the note. So `tokenizer.json` alone tells training and service what to do.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Callable
from functools import partial
from typing import Any

from contracts.errors import PerennialError
from contracts.words import word_offsets

NEVER = "(?!)"
_NOTE = "lemmas of "
_APOSTROPHES = "'’"


class LemmasError(PerennialError):
    """Dictionary forms that cannot be looked up here."""


def note_of(language: str) -> str:
    """What a tokenizer's first step holds whose texts are to be lemmatized."""
    return f"{_NOTE}{language}"


def lemmatizer_of(tokenizer: Any) -> Callable[[str], str] | None:
    """What is to be done with a text before this `tokenizers.Tokenizer` reads it; None, as mostly, for nothing.

    Raises LemmasError when simplemma is not installed, or does not know the language.
    """
    steps = tokenizer.normalizer
    try:
        content = getattr(steps[0], "content", "") if hasattr(steps, "__getitem__") else ""
    except IndexError:
        return None
    return lemmatizer(content.removeprefix(_NOTE)) if content.startswith(_NOTE) else None


def lemmatizer(language: str) -> Callable[[str], str]:
    """A function that puts each word of a text into its dictionary form; all between words stays as it is.

    Words that hold more than letters, or touch an apostrophe, are left alone.
    """
    try:
        # A dictionary of some megabytes, of use to those few who set it.
        from simplemma import lemmatize
    except ImportError as error:
        raise LemmasError(
            "`lemmas` in [clean] needs simplemma. Install it here, and where the service runs: "
            'pip install "perennial[lemmas]".'
        ) from error
    try:
        lemmatize("words", lang=language)
    except ValueError as error:
        raise LemmasError(f"[clean] lemmas: simplemma has no language {language!r} ({error}). Correct it.") from error
    return partial(_lemmatized, lambda word: str(lemmatize(word, lang=language)))


def _lemmatized(lemma: Callable[[str], str], text: str) -> str:
    parts = []
    behind = 0
    for start, end in word_offsets(text):
        word = text[start:end]
        touches = text[start - 1 : start] + text[end : end + 1]
        if not _is_word(word) or any(mark in _APOSTROPHES for mark in touches):
            continue
        parts += [text[behind:start], lemma(word)]
        behind = end
    return "".join((*parts, text[behind:]))


def _is_word(word: str) -> bool:
    """Letters and their marks alone."""
    return all(unicodedata.category(character)[0] in "LM" for character in word)
