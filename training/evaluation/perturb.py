"""What people do to a text without meaning anything else by it. Pure: the same text and seed give the same text."""

from __future__ import annotations

import unicodedata
from collections.abc import Callable
from dataclasses import dataclass
from random import Random

# Letters beside each other on a keyboard, row by row; the rows below reach up half a key.
_KEYS = ("qwertyuiop", "asdfghjkl", "zxcvbnm")
_EMOJI = ("🙂", "😡", "🙏", "👍", "😭", "🤔", "🔥", "😅")
_LETTERS_PER_TYPO = 25


@dataclass(frozen=True)
class Perturbation:
    """One way of writing, by a name for machines and a title for people."""

    name: str
    title: str
    apply: Callable[[str, Random], str]


def perturbed(perturbation: Perturbation, text: str, seed: int) -> str:
    """The text written that way; never empty."""
    # Seeded by the text too, so that it does not matter which others are looked at.
    changed = perturbation.apply(text, Random(f"{seed} {perturbation.name} {text}"))
    return changed if changed.strip() else text


def with_typos(text: str, rng: Random) -> str:
    """One slip in 25 letters or so, at least one: a letter swapped, left out, doubled, or its neighbour struck."""
    written = list(text)
    places = [place for place, letter in enumerate(written) if letter.isalpha()]
    # From the end, so that the places before stay where they are.
    for place in sorted(rng.sample(places, min(len(places), 1 + len(places) // _LETTERS_PER_TYPO)), reverse=True):
        letter = written[place]
        slip = rng.choice(("swap", "drop", "double", "neighbour"))
        if slip == "swap" and place + 1 < len(written):
            written[place], written[place + 1] = written[place + 1], letter
        elif slip == "drop":
            written[place] = ""
        elif slip == "double":
            written[place] = letter * 2
        else:
            written[place] = _neighbour(letter, rng)
    return "".join(written)


def without_punctuation(text: str, _: Random) -> str:
    """Without any character of Unicode's P categories; words that it joined come apart."""
    spaced = "".join(" " if unicodedata.category(one).startswith("P") and one != "'" else one for one in text)
    return " ".join(spaced.replace("'", "").split())


def without_ending(text: str, _: Random) -> str:
    """The first half of the words."""
    words = text.split()
    return " ".join(words[: max(1, (len(words) + 1) // 2)])


def _neighbour(letter: str, rng: Random) -> str:
    """A key beside this one; the letter twice where the keyboard is not known."""
    for row in _KEYS:
        if (place := row.find(letter.lower())) >= 0:
            struck = rng.choice([row[near] for near in (place - 1, place + 1) if 0 <= near < len(row)])
            return struck.upper() if letter.isupper() else struck
    return letter * 2


PERTURBATIONS = (
    Perturbation("typos", "Typing errors", with_typos),
    Perturbation("upper_case", "All capitals", lambda text, _: text.upper()),
    Perturbation("lower_case", "No capitals", lambda text, _: text.lower()),
    Perturbation("no_punctuation", "No punctuation", without_punctuation),
    Perturbation("more_punctuation", "Exclamation marks", lambda text, _: f"{text.rstrip('.!?')}!!!"),
    Perturbation("emoji", "An emoji at the end", lambda text, rng: f"{text} {rng.choice(_EMOJI)}"),
    Perturbation("truncation", "The second half missing", without_ending),
)
