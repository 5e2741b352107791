"""Words of any script, with their places: what tags are put on, in training as in serving."""

from __future__ import annotations

import unicodedata
from collections.abc import Collection


def word_offsets(text: str, cuts: Collection[int] = ()) -> tuple[tuple[int, int], ...]:
    """(start, end) of each word, mark of punctuation and symbol, in order; also cut at the places `cuts`.

    White space divides; punctuation and symbols stand alone; all else is of a word, vowel signs and joiners included
    (which the usual pattern of word characters would cut off in Indic scripts).
    """
    found: list[tuple[int, int]] = []
    begins = -1
    for at, character in enumerate(text):
        alone = unicodedata.category(character)[0] in "PS"
        if begins >= 0 and (alone or character.isspace() or at in cuts):
            found.append((begins, at))
            begins = -1
        if alone:
            found.append((at, at + 1))
        elif begins < 0 and not character.isspace():
            begins = at
    if begins >= 0:
        found.append((begins, len(text)))
    return tuple(found)
