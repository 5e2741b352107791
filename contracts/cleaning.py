"""Cleaning of texts by setting: what the steps are, in the order in which they are taken.

They become part of the release's `tokenizer.json`, so that training and service take the very same ones. Patterns are
in the syntax of Oniguruma, which `tokenizers` uses.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from pydantic import Field

from contracts.schema import Contract

# Function words alone: whoever leaves out "not" or "without" turns sentences round.
_FUNCTION_WORDS = """
    a about all also am an and any are as at be because been being both but by can could did do does doing each
    few for from further had has have having he her here hers herself him himself his how i if in into is it its
    itself just me more most my myself of on once only or other our ours ourselves own same she should so some
    such than that the their theirs them themselves then there these they this those through to too very was we
    were what when where which while who whom why will with would you your yours yourself yourselves
"""
ENGLISH_STOP_WORDS = tuple(_FUNCTION_WORDS.split())
_APOSTROPHE = "['’]"
_IS = ["it", "he", "she", "that", "what", "there", "here", "who", "where", "how", "when", "why"]


class CleanSpec(Contract):
    """Changes to every text before it is tokenized, in training and in service alike; the logs keep what was sent.

    All of it is off, since pre-trained models have read natural text: case, punctuation and little words tell them
    something, and what they have never seen (texts without it) they read worse. It is for texts with much that says
    nothing, such as links, or for a base model that was itself trained on cleaned text.
    """

    urls: Literal["keep", "mask", "remove"] = Field("keep", description="mask: the word `url` in their place")
    contractions: Literal["keep", "expand"] = Field("keep", description="expand: English `don't` becomes `do not`")
    case: Literal["keep", "lower"] = "keep"
    stop_words: Literal["keep", "english"] | tuple[str, ...] = Field(
        "keep", description="words to leave out: `english` for function words, or a list"
    )
    punctuation: Literal["keep", "remove"] = "keep"
    lemmas: str | None = Field(
        None, pattern="^[a-z]{2,3}$", description="language in whose dictionary forms words are put, such as `en`"
    )

    @property
    def enabled(self) -> bool:
        """Whether anything is changed at all."""
        return self != CleanSpec()


@dataclass(frozen=True, slots=True)
class Replacement:
    """Every match of a pattern gives way to `content`, which is taken literally."""

    pattern: str
    content: str


LOWER_CASE: Literal["lower case"] = "lower case"
Step = Replacement | Literal["lower case"]


def cleaning_steps(clean: CleanSpec) -> list[Step]:
    """The steps in order; none when cleaning is off. The last ones leave single spaces and none at the ends."""
    steps: list[Step] = []
    if clean.urls != "keep":
        content = " url " if clean.urls == "mask" else " "
        # What closes the sentence, and not the link, stays.
        steps.append(Replacement(r"(?i)\b(?:https?://|www\.)[^\s<>\"]*[^\s<>\".,;:!?)\]'’]", content))
    if clean.contractions == "expand":
        steps.extend(_contractions())
    if clean.case == "lower":
        steps.append(LOWER_CASE)
    words = _stop_words(clean)
    if words:
        listed = "|".join(_escaped(word) for word in sorted(words, key=lambda word: (-len(word), word)))
        steps.append(Replacement(rf"(?i)(?<![\w'’])(?:{listed})(?![\w'’])", " "))
    if clean.punctuation == "remove":
        steps.append(Replacement(r"\p{P}+", " "))
    if steps:
        steps += [Replacement(r"\s+", " "), Replacement(r"^ | $", "")]
    return steps


def _stop_words(clean: CleanSpec) -> tuple[str, ...]:
    if isinstance(clean.stop_words, tuple):
        return tuple(word for word in clean.stop_words if word.strip())
    return ENGLISH_STOP_WORDS if clean.stop_words == "english" else ()


def _contractions() -> list[Step]:
    """Those with one reading alone: `Ann's cat` and `he'd` stay as they are."""
    heads = "|".join(rf"\b{word}" for word in _IS)
    return [
        Replacement(rf"(?i)\bwon{_APOSTROPHE}t\b", "will not"),
        Replacement(rf"(?i)\bcan{_APOSTROPHE}t\b", "can not"),
        Replacement(rf"(?i)\bshan{_APOSTROPHE}t\b", "shall not"),
        Replacement(rf"(?i)(?<=\w)n{_APOSTROPHE}t\b", " not"),
        Replacement(rf"(?i)(?<=\w){_APOSTROPHE}re\b", " are"),
        Replacement(rf"(?i)(?<=\w){_APOSTROPHE}ve\b", " have"),
        Replacement(rf"(?i)(?<=\w){_APOSTROPHE}ll\b", " will"),
        Replacement(rf"(?i)(?<=\bi){_APOSTROPHE}m\b", " am"),
        Replacement(rf"(?i)(?<=\blet){_APOSTROPHE}s\b", " us"),
        Replacement(rf"(?i)(?<={heads}){_APOSTROPHE}s\b", " is"),
    ]


def _escaped(word: str) -> str:
    return "".join(character if character.isalnum() else f"\\{character}" for character in word.strip())
