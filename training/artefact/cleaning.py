"""Cleaning as a part of a tokenizer, so that whatever reads its file cleans in the same way."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from tokenizers import Regex, Tokenizer, normalizers

from contracts.cleaning import LOWER_CASE, CleanSpec, Step, cleaning_steps
from contracts.lemmas import NEVER, lemmatizer, note_of


def with_cleaning(tokenizer: Tokenizer, clean: CleanSpec) -> Tokenizer:
    """The tokenizer with the steps before its own; the one given is changed. Raises LemmasError."""
    steps = [_normalizer(step) for step in cleaning_steps(clean)]
    if clean.lemmas is not None:
        lemmatizer(clean.lemmas)  # refused now, and not when the training is done
        steps.insert(0, normalizers.Replace(Regex(NEVER), note_of(clean.lemmas)))
    if steps:
        own = [] if tokenizer.normalizer is None else [tokenizer.normalizer]
        tokenizer.normalizer = normalizers.Sequence([*steps, *own])
    return tokenizer


def cleaner(clean: CleanSpec) -> Callable[[str], str]:
    """What makes of a text what the model of a release with these settings reads. Raises LemmasError."""
    lemmatize = str if clean.lemmas is None else lemmatizer(clean.lemmas)
    sequence = normalizers.Sequence([_normalizer(step) for step in cleaning_steps(clean)])
    return lambda text: str(sequence.normalize_str(lemmatize(text)))


def _normalizer(step: Step) -> Any:
    return normalizers.Lowercase() if step == LOWER_CASE else normalizers.Replace(Regex(step.pattern), step.content)
