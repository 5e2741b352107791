"""The sample data set: messages to a small online shop, first in English, then in Hinglish.

Most messages mention two matters and ask for only one of them, so that a list of words does not tell what
the customer wants. Everything is made here, from phrases of our own, and is the same for the same seed.
"""

from __future__ import annotations

import csv
import io
import random
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from contracts.files import write_atomic
from demo.english import ENGLISH
from demo.grammar import Language, compose
from demo.hinglish import HINGLISH
from demo.typing_habits import sentence_case, spell_hindi, typo

SHARES = {
    "order_status": 0.17,
    "refund_request": 0.14,
    "cancel_order": 0.12,
    "change_address": 0.11,
    "payment_problem": 0.13,
    "damaged_item": 0.13,
    "account_access": 0.09,
    "product_question": 0.11,
}
INTENTS: tuple[str, ...] = tuple(SHARES)


@dataclass(frozen=True)
class Message:
    """What a customer wrote, and the intent that it asks for."""

    text: str
    label: str


def english(rows: int, seed: int) -> list[Message]:
    """`rows` English messages, no two alike; other seeds give nearly disjoint texts."""
    return _write(ENGLISH, rows, random.Random(f"english {seed}"), _english_hand)


def hinglish(rows: int, seed: int) -> list[Message]:
    """`rows` messages in romanised Hindi mixed with English, no two alike, of the same intents."""
    return _write(HINGLISH, rows, random.Random(f"hinglish {seed}"), _hinglish_hand)


def write_csv(path: Path, messages: Sequence[Message]) -> None:
    """Write the columns `text` and `label`, in UTF-8; a crash leaves no partial file."""
    content = io.StringIO()
    writer = csv.writer(content, lineterminator="\n")
    writer.writerow(("text", "label"))
    writer.writerows((message.text, message.label) for message in messages)
    write_atomic(path, content.getvalue().encode())


def _write(
    language: Language, rows: int, rng: random.Random, hand: Callable[[str, random.Random], str]
) -> list[Message]:
    messages: list[Message] = []
    seen: set[str] = set()
    shares = tuple(SHARES.values())
    while len(messages) < rows:
        intent, *others = rng.choices(INTENTS, shares, k=3)
        if len({intent, *others}) < 3:
            continue
        text = hand(compose(language, intent, others, rng), rng)
        fingerprint = re.sub(r"\W+", "", text.casefold())
        if fingerprint not in seen:
            seen.add(fingerprint)
            messages.append(Message(text, intent))
    return messages


def _english_hand(text: str, rng: random.Random) -> str:
    text = typo(text, rng) if rng.random() < 0.15 else text
    return text.lower() if rng.random() < 0.2 else sentence_case(text)


def _hinglish_hand(text: str, rng: random.Random) -> str:
    text = spell_hindi(text, rng)
    return sentence_case(text) if rng.random() < 0.35 else text
