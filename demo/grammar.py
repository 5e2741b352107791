"""A small text grammar: templates with alternatives and named slots, expanded by a seeded generator.

`[a|b|]` is one of the alternatives, the last here being nothing; `{city}` is one of a bank's phrases; and
`{wanted.goal}` is a phrase in the form `goal` of whatever intent plays the part `wanted`.
"""

from __future__ import annotations

import random
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

CHOICE = re.compile(r"\[([^\[\]]*)\]")
SLOT = re.compile(r"\{([a-z_.]+)\}")

Bank = Mapping[str, Sequence[str]]


@dataclass(frozen=True)
class Language:
    """Everything needed to write messages in one language."""

    words: Bank
    """Phrases that say nothing of the intent: products, cities, amounts, days."""
    intents: Mapping[str, Bank]
    """For each intent its phrases, by form: goal, topic, fact, question."""
    plain: Sequence[str]
    """Frames in which only the wanted intent speaks."""
    contrasts: Sequence[str]
    """Frames that name two intents, of which one is wanted; only role, order and negation tell which."""
    openers: Sequence[str]
    closers: Sequence[str]
    contrast_share: float
    """Share of the messages that name two intents, 0 to 1."""


def expand(template: str, bank: Bank, rng: random.Random) -> str:
    """One reading of a template. Raises KeyError for a slot that the bank lacks."""
    while True:
        chosen = CHOICE.sub(lambda found: rng.choice(found[1].split("|")), template)
        filled = SLOT.sub(lambda found: rng.choice(bank[found[1]]), chosen)
        if filled == template:
            return " ".join(filled.split())
        template = filled


def compose(language: Language, intent: str, other: str, rng: random.Random) -> str:
    """One message that asks for `intent`; in a contrast, `other` is the one that is not asked for."""
    bank = dict(language.words)
    for part, name in (("wanted", intent), ("other", other)):
        bank |= {f"{part}.{form}": phrases for form, phrases in language.intents[name].items()}
    contrast = rng.random() < language.contrast_share
    frame = rng.choice(language.contrasts if contrast else language.plain)
    return expand(f"{rng.choice(language.openers)} {frame} {rng.choice(language.closers)}", bank, rng)
