"""What a caller asks of a task, by whichever protocol it came, and the rules that all of them share; pure."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from contracts.schema import VERSION
from contracts.task import LimitSpec
from service.errors import RequestInvalidError, Violation
from service.http.json_values import escaped, kind_of, refuse, unknown_fields, whole_number

KEY_CHARS = 256
# Above the number of labels of any task; more is a slip of the pen.
MOST_SCORES = 10_000
VERSION_CHARS = 16
CALLER_ID = r"^[A-Za-z0-9][A-Za-z0-9._:~-]{0,63}$"
# An id of this form claims to be one of ours (service/logs/prediction_ids.py, 26 characters), and those prove
# themselves. One more or less is a slip in copying, which shall not pass for an id of the caller's making.
OWN_ID = r"^[0-9a-hjkmnp-tv-z]{25,27}$"

_RANKING = ("top_k", "all_scores")
UNRANKED = "Unknown field for this task: its kind has no labels to rank."
_CALLER_ID, _OWN_ID, _VERSION = (re.compile(pattern[1:-1]) for pattern in (CALLER_ID, OWN_ID, VERSION))


@dataclass(frozen=True, slots=True)
class PredictRequest:
    """Checked: whatever is in here keeps the task's limits."""

    texts: list[str]
    ids: list[str | None] | None = None  # the caller's own prediction ids; None: none given
    top_k: int = 0  # scores answered for that many labels; 0: only the best label
    version: str | None = None  # a wanted release; None: whichever the rollout says
    key: str | None = None  # whatever the caller wants to be sticky in a canary (customer, session)
    cut: frozenset[int] = frozenset()  # places of the texts that were cut to the limit of characters


@dataclass(frozen=True, slots=True)
class Options:
    """How a request is to be answered; the fields are those of PredictRequest."""

    top_k: int = 0
    version: str | None = None
    key: str | None = None


@dataclass(frozen=True, slots=True)
class Texts:
    """Texts, the places of those that were cut, and what is wrong with them, if anything is."""

    texts: list[str]
    cut: frozenset[int]
    violations: list[Violation]


def are_plain(instances: Sequence[object], most: int) -> bool:
    """Whether all are texts of at most `most` characters with nothing to say about them: most requests are so."""
    for text in instances:
        if (
            type(text) is not str
            or not text
            or len(text) > most
            or text.isspace()
            or "\0" in text
            or not encodable(text)
        ):
            return False
    return True


def check_count(count: int, most: int, pointer: str) -> None:
    """Raises RequestInvalidError unless there are 1 to `most` texts."""
    if not 1 <= count <= most:
        remedy = "Split the request." if count else "Send at least one."
        refuse([Violation(pointer, f"Expected 1 to {most} texts to predict, found {count}. {remedy}")])


def read_texts(values: Sequence[object], limits: LimitSpec, pointers: Sequence[str]) -> Texts:
    """Texts by the task's limits; a text that is too long is a violation or cut, as `limits.long_texts` says.

    `pointers` are the texts' places in the body.
    """
    most = limits.max_text_chars
    texts: list[str] = []
    cut: list[int] = []
    violations: list[Violation] = []
    for place, value in enumerate(values):
        text = value
        if isinstance(text, str) and len(text) > most and limits.long_texts == "truncate":
            cut.append(place)
            text = text[:most]
        problem = _text_problem(text, most)
        if problem is not None:
            violations.append(Violation(pointers[place], problem))
        texts.append(str(text))
    return Texts(texts, frozenset(cut), violations)


def as_one_text(question: object, context: object) -> str:
    """A question and its context as the encoder takes them apart again: the question is the first line."""
    return f"{' '.join(str(question).split())}\n{context}"


def blank_problem(value: object) -> str | None:
    """What is wrong with a question or a context, each by itself, if anything is."""
    if isinstance(value, str) and value.strip():
        return None
    return f"Expected a text, found {'only white space' if isinstance(value, str) and value else kind_of(value)}."


def check_options(found: object, labels: int, pointer: str) -> Options:
    """The options that a `parameters` object holds, `top_k` cut to the number of labels.

    Raises RequestInvalidError.
    """
    if not isinstance(found, dict):
        raise RequestInvalidError([Violation(pointer, f"Expected an object, found {kind_of(found)}.")])
    refuse(unknown_fields(found, {"top_k", "all_scores", "version", "key"}, pointer))
    violations: list[Violation] = []
    for name, value in found.items():
        problem = UNRANKED if name in _RANKING and not labels else option_problem(name, value)
        if problem is not None:
            violations.append(Violation(f"{pointer}/{escaped(name)}", problem))
    refuse(violations)
    return options_of(found, labels)


def options_of(checked: Mapping[str, object], labels: int) -> Options:
    """Options from values in which `option_problem` found nothing."""
    version, key = checked.get("version"), checked.get("key")
    wanted = labels if checked.get("all_scores") else whole_number(checked.get("top_k")) or 0
    return Options(
        top_k=min(wanted, labels),
        version=version if isinstance(version, str) else None,
        key=key if isinstance(key, str) else None,
    )


def option_problem(name: str, value: object) -> str | None:
    """What is wrong with the value of an option, if anything is; of names that are no option nothing is said."""
    if name == "top_k":
        number = whole_number(value)
        if number is None or not 1 <= number <= MOST_SCORES:
            shown = repr(value)[:40] if type(value) in (int, float) else kind_of(value)
            return f"Expected a whole number from 1 to {MOST_SCORES}, found {shown}."
    elif name == "all_scores":
        if not isinstance(value, bool):
            return f"Expected true or false, found {kind_of(value)}."
    elif name == "version":
        if not isinstance(value, str) or len(value) > VERSION_CHARS or _VERSION.fullmatch(value) is None:
            return f'Expected a release\'s version, such as "0002", found {_shown(value)}.'
    elif name == "key" and (not isinstance(value, str) or not 1 <= len(value) <= KEY_CHARS or not encodable(value)):
        return f"Expected a string of 1 to {KEY_CHARS} characters, found {_shown(value)}."
    return None


def id_problem(value: object) -> str | None:
    """What is wrong with a prediction id of the caller's making, if anything is."""
    if not isinstance(value, str) or _CALLER_ID.fullmatch(value) is None:
        return (
            "Expected an id of 1 to 64 characters of A-Z, a-z, 0-9 and ._:~-, the first a letter or digit, "
            f"found {_shown(value)}."
        )
    if _OWN_ID.fullmatch(value) is not None:
        return (
            "Expected an id of your own; 25 to 27 characters of 0-9 and a-z (without i, l, o, u) are taken for one "
            "of the service's. Put something like `-` into it."
        )
    return None


def _text_problem(value: object, most: int) -> str | None:
    if not isinstance(value, str):
        return f"Expected a text, found {kind_of(value)}."
    if len(value) > most:
        return f"Expected at most {most} characters, found {len(value)}. Shorten or split the text."
    if not value or value.isspace():
        return "Expected a text; it is empty or only white space."
    if "\0" in value:
        return f"Expected text; character {value.index(chr(0))} is NUL (\\u0000)."
    if not encodable(value):
        return "Expected Unicode text; it holds half of a surrogate pair (\\ud800 to \\udfff)."
    return None


def encodable(value: str) -> bool:
    """Whether UTF-8 can say it: half a surrogate pair cannot be sent back."""
    if value.isascii():
        return True
    try:
        value.encode()
    except UnicodeEncodeError:
        return False
    return True


def _shown(value: object) -> str:
    return ascii(value[:80]) if isinstance(value, str) and value else kind_of(value)
