"""The grammar: alternatives, slots and parts are filled; the frames ask for what they are labelled with."""

from __future__ import annotations

import random
import re

import pytest

from demo.english import ENGLISH
from demo.grammar import CHOICE, SLOT, Language, compose, expand
from demo.hinglish import HINGLISH
from demo.hinglish_intents import oblique
from demo.messages import INTENTS
from demo.typing_habits import SPELLINGS, sentence_case, spell_hindi, typo

languages = pytest.mark.parametrize("language", [ENGLISH, HINGLISH], ids=["english", "hinglish"])


def test_expand_fills_choices_and_nested_slots() -> None:
    bank = {"thing": ("[red|blue] {animal}",), "animal": ("cat", "dog")}
    seen = {expand("a {thing}[!|]", bank, random.Random(seed)) for seed in range(80)}
    assert seen == {
        f"a {colour} {animal}{end}" for colour in ("red", "blue") for animal in ("cat", "dog") for end in "!"
    } | {f"a {colour} {animal}" for colour in ("red", "blue") for animal in ("cat", "dog")}


def test_expand_names_a_slot_that_is_missing() -> None:
    with pytest.raises(KeyError, match="colour"):
        expand("a {colour} cat", {}, random.Random(0))


@languages
def test_every_intent_has_every_form_without_repeats(language: Language) -> None:
    assert set(language.intents) == set(INTENTS)
    for forms in language.intents.values():
        assert {"goal", "topic", "fact", "question"} <= set(forms)
        for phrases in forms.values():
            assert len(set(phrases)) == len(phrases) >= 7


@languages
def test_no_phrase_speaks_for_two_intents(language: Language) -> None:
    owners: dict[str, str] = {}
    for intent, forms in language.intents.items():
        for phrase in {phrase for phrases in forms.values() for phrase in phrases}:
            assert owners.setdefault(phrase, intent) == intent


@languages
def test_every_slot_is_known_and_every_bracket_is_closed(language: Language) -> None:
    forms = {
        f"{part}.{form}" for part in ("wanted", "other", "third") for form in next(iter(language.intents.values()))
    }
    templates = [
        *language.plain,
        *language.contrasts,
        *language.openers,
        *language.closers,
        *(phrase for phrases in language.words.values() for phrase in phrases),
        *(phrase for found in language.intents.values() for phrases in found.values() for phrase in phrases),
    ]
    for template in templates:
        assert set(SLOT.findall(template)) <= forms | set(language.words), template
        assert not re.search(r"[{}\[\]|]", SLOT.sub("", CHOICE.sub("", template))), template


@languages
def test_plain_frames_name_one_intent_and_contrasts_both(language: Language) -> None:
    for frame in language.plain:
        assert "{wanted." in frame
        assert "{other." not in frame
    for frame in language.contrasts:
        assert frame.count("{wanted.") == frame.count("{other.") == 1, frame


@languages
def test_neither_place_in_a_contrast_gives_the_wanted_intent_away(language: Language) -> None:
    first = [frame.index("{wanted.") < frame.index("{other.") for frame in language.contrasts]
    assert 0.35 < sum(first) / len(first) < 0.65


def test_compose_uses_the_phrases_of_the_wanted_intent_and_the_others() -> None:
    language = Language(
        words={"product": ("kettle", "mirror")},
        intents={name: {"goal": (f"{name} the {{product}}",)} for name in ("buy", "sell", "mend")},
        plain=("I {wanted.goal}.",),
        contrasts=("I {wanted.goal}, not {other.goal} or {third.goal}.",),
        openers=("hi,",),
        closers=("bye.",),
        contrast_share=1.0,
        opener_share=1.0,
        closer_share=1.0,
        remembered=("product",),
    )
    text = compose(language, "sell", ("buy", "mend"), random.Random(1))
    assert re.fullmatch(r"hi, I sell the (\w+), not buy the (\w+) or mend the (\w+)\. bye\.", text)


@pytest.mark.parametrize(
    ("goal", "expected"),
    [
        ("order cancel karna", "order cancel karne"),
        ("{product} wapas karna aur refund lena", "{product} wapas karne aur refund lene"),
        ("naya address dena", "naya address dene"),
    ],
)
def test_oblique_turns_the_infinitives_only(goal: str, expected: str) -> None:
    assert oblique(goal) == expected


def test_typo_changes_one_word_a_little() -> None:
    text = "where is my parcel from yesterday"
    for seed in range(50):
        slipped = typo(text, random.Random(seed)).split()
        changed = [(old, new) for old, new in zip(text.split(), slipped, strict=True) if old != new]
        assert len(changed) <= 1
        assert all(abs(len(old) - len(new)) <= 1 and old[0] == new[0] for old, new in changed)
    assert typo("no it is", random.Random(1)) == "no it is"


def test_every_writer_picks_one_of_the_known_spellings() -> None:
    for word, variants in SPELLINGS.items():
        assert word in variants
    spelt = {spell_hindi("nahi nahi", random.Random(seed)) for seed in range(60)}
    assert spelt == {"nahi nahi", "nahin nahin", "nhi nhi", "nai nai"}


def test_sentence_case_capitalises_each_sentence() -> None:
    assert sentence_case("hi there. where is it? now: 3 days.") == "Hi there. Where is it? Now: 3 days."
