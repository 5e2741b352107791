"""From a model's tags on word pieces to entities with character offsets: pure, the same in training and serving."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from contracts.joined_labels import joined
from contracts.reference import Floats
from contracts.words import word_offsets

OUTSIDE = "O"


@dataclass(frozen=True, slots=True)
class Word:
    """A word, by its characters in the text, and the place of its first piece among the model's tokens."""

    start: int
    end: int
    piece: int


@dataclass(frozen=True, slots=True)
class Entity:
    """Characters `start` up to, not including, `end` of a text, and how sure the model is of them, 0..1."""

    start: int
    end: int
    label: str
    score: float


@dataclass(frozen=True, slots=True)
class Entities:
    """The entities of one text in order, and how sure the model is of the text as a whole, 0..1."""

    found: tuple[Entity, ...]
    score: float  # the mean of the entities' scores; of the words' probabilities of being outside, where there is none

    @property
    def label(self) -> str:
        """The distinct types, sorted, joined by "+", or "none": as the prediction log holds it."""
        return joined(sorted({entity.label for entity in self.found}))


def words_of(text: str, offsets: Sequence[tuple[int, int]]) -> tuple[Word, ...]:
    """The words of a text that have a piece of their own, in order.

    `offsets` are the (start, end) characters of the model's tokens, (0, 0) for special ones. A word belongs to the
    first piece that begins in it; one whose characters share a piece with the word before has none, nor has a word
    behind the cut.
    """
    starts = [_without_space(text, start, end) for start, end in offsets]
    found: list[Word] = []
    at = 0
    for start, end in word_offsets(text):
        # Special tokens hold no characters, and some pieces nothing but the space before a word.
        while at < len(starts) and (starts[at] < start or starts[at] >= offsets[at][1]):
            at += 1
        if at == len(starts):
            break
        if starts[at] < end:
            found.append(Word(start, end, at))
    return tuple(found)


def read_entities(logits: Floats, words: Sequence[Word], tags: Sequence[str], temperature: float) -> Entities:
    """What [tokens, tags] logits say of a text's words; each word is read at its first piece.

    A tag I-x that continues no entity of its type begins one, as in the CoNLL evaluation (Tjong Kim Sang and
    De Meulder 2003). An entity's score is the mean probability of its words' tags, softmax(logits / temperature).
    """
    if not words:
        return Entities((), 1.0)
    chances = _softmax(logits[[word.piece for word in words]], temperature)
    best = chances.argmax(axis=1)
    sure = chances[np.arange(len(words)), best]
    found: list[Entity] = []
    opened: list[int] = []  # the words of the entity at hand
    inside = ""
    for place, index in enumerate([*(int(one) for one in best), -1]):
        prefix, _, label = (OUTSIDE if index < 0 else tags[index]).partition("-")
        if opened and (prefix != "I" or label != inside):
            found.append(_entity(words, opened, inside, sure))
            opened = []
        if prefix != OUTSIDE:
            opened.append(place)
            inside = label
    if found:
        return Entities(tuple(found), float(np.mean([entity.score for entity in found])))
    return Entities((), float(chances[:, tags.index(OUTSIDE)].mean()))


def _entity(words: Sequence[Word], opened: Sequence[int], label: str, sure: Floats) -> Entity:
    return Entity(words[opened[0]].start, words[opened[-1]].end, label, float(sure[list(opened)].mean()))


def _without_space(text: str, start: int, end: int) -> int:
    """Some tokenizers count the space before a word to its first piece."""
    while start < end and text[start].isspace():
        start += 1
    return start


def _softmax(logits: Floats, temperature: float) -> Floats:
    scaled = logits.astype(np.float64) / temperature
    powers = np.exp(scaled - scaled.max(axis=-1, keepdims=True))
    chances: Floats = powers / powers.sum(axis=-1, keepdims=True)
    return chances
