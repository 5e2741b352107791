"""The simplest reader there is: it answers with a whole sentence."""

from __future__ import annotations

import re

_SENTENCE = re.compile(r"[^.!?\n]+[.!?]*")
_WORD = re.compile(r"\w+")


def nearest_sentence(question: str, context: str) -> str:
    """The sentence of the context that shares most words with the question, the first of equals; "" of no words."""
    asked = set(_WORD.findall(question.lower()))
    sentences = [found.group().strip() for found in _SENTENCE.finditer(context)]
    return max(sentences, key=lambda one: len(asked & set(_WORD.findall(one.lower()))), default="")
