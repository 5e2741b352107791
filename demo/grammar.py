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
    """Frames that name two intents or three, of which one is wanted: role, order and negation tell which."""
    openers: Sequence[str]
    closers: Sequence[str]
    contrast_share: float
    """Share of the messages that name two intents or three, 0 to 1."""
    opener_share: float = 0.45
    closer_share: float = 0.4
    remembered: Sequence[str] = ("product", "number", "amount")
    """Words of which one message uses one or two and no more: people write of the thing they bought."""


def expand(template: str, bank: Bank, rng: random.Random) -> str:
    """One reading of a template. Raises KeyError for a slot that the bank lacks."""
    while True:
        chosen = CHOICE.sub(lambda found: rng.choice(found[1].split("|")), template)
        filled = SLOT.sub(lambda found: rng.choice(bank[found[1]]), chosen)
        if filled == template:
            return " ".join(filled.split())
        template = filled


def compose(language: Language, wanted: str, others: Sequence[str], rng: random.Random) -> str:
    """One message that asks for the intent `wanted`; a contrast may also name the two `others`."""
    bank = dict(language.words)
    for name in language.remembered:
        bank[name] = rng.sample(list(language.words[name]), rng.choice((1, 1, 2)))
    for part, intent in zip(("wanted", "other", "third"), (wanted, *others), strict=True):
        bank |= {f"{part}.{form}": phrases for form, phrases in language.intents[intent].items()}
    contrast = rng.random() < language.contrast_share
    frame = rng.choice(language.contrasts if contrast else language.plain)
    opener = rng.choice(language.openers) if rng.random() < language.opener_share else ""
    closer = rng.choice(language.closers) if rng.random() < language.closer_share else ""
    return expand(f"{opener} {frame} {closer}", bank, rng)
