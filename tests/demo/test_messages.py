"""The sample data is what the demo says it is: the same for a seed, varied, and not solved by a list of words."""

from __future__ import annotations

import csv
import re
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline

from demo.messages import INTENTS, Message, english, hinglish, write_csv

Writer = Callable[[int, int], list[Message]]

both = pytest.mark.parametrize("write", [english, hinglish])


def words(message: Message) -> list[str]:
    return re.findall(r"[a-z']+", message.text.lower())


@both
def test_the_same_seed_writes_the_same_messages(write: Writer) -> None:
    assert write(300, 7) == write(300, 7)


@both
def test_fewer_rows_are_the_beginning_of_more(write: Writer) -> None:
    assert write(20, 1) == write(200, 1)[:20]


@both
def test_other_seeds_write_other_messages(write: Writer) -> None:
    first = {message.text for message in write(2000, 1)}
    second = {message.text for message in write(2000, 2)}
    assert len(first & second) < 20


@both
def test_no_two_messages_of_one_call_are_alike(write: Writer) -> None:
    texts = [re.sub(r"\W+", "", message.text.casefold()) for message in write(4000, 3)]
    assert len(set(texts)) == 4000


@both
def test_every_intent_has_between_8_and_18_per_cent(write: Writer) -> None:
    counted = Counter(message.label for message in write(4000, 4))
    assert tuple(sorted(counted)) == tuple(sorted(INTENTS))
    assert all(0.08 <= count / 4000 <= 0.18 for count in counted.values())
    assert max(counted.values()) > 1.4 * min(counted.values())


@both
@settings(max_examples=25, deadline=None)
@given(rows=st.integers(0, 60), seed=st.integers(-(2**40), 2**40))
def test_any_number_of_rows_comes_out_well_formed(write: Writer, rows: int, seed: int) -> None:
    messages = write(rows, seed)
    assert len(messages) == rows
    for message in messages:
        assert message.label in INTENTS
        assert message.text == " ".join(message.text.split()) != ""
        assert not re.search(r"[{}\[\]|]", message.text), "a slot or a choice was left open"


@both
def test_messages_are_of_the_length_that_people_type(write: Writer) -> None:
    lengths = [len(message.text.split()) for message in write(2000, 5)]
    assert 12 <= sum(lengths) / len(lengths) <= 25
    assert max(lengths) <= 64
    assert min(lengths) <= 5


def test_no_frequent_word_gives_the_intent_away() -> None:
    messages = english(4000, 6)
    labels: dict[str, Counter[str]] = {}
    for message in messages:
        for word in set(words(message)):
            labels.setdefault(word, Counter())[message.label] += 1
    frequent = {word: found for word, found in labels.items() if found.total() >= 0.02 * len(messages)}
    assert len(frequent) > 50
    telling = {word: found.most_common(1)[0] for word, found in frequent.items()}
    assert {word: top for word, top in telling.items() if top[1] / frequent[word].total() > 0.8} == {}


def test_one_keyword_an_intent_does_not_solve_it() -> None:
    train, test = english(2000, 8), english(500, 9)
    sizes = Counter(message.label for message in train)
    overall = Counter(word for message in train for word in set(words(message)))
    best: dict[str, str] = {}
    for label in INTENTS:
        found = Counter(word for message in train if message.label == label for word in set(words(message)))
        best[label] = max(
            found, key=lambda word, found=found, label=label: found[word] / (overall[word] + sizes[label])
        )
    fallback = sizes.most_common(1)[0][0]
    right = 0
    for message in test:
        met = [label for label in INTENTS if best[label] in words(message)]
        right += (met[0] if met else fallback) == message.label
    assert right / len(test) < 0.45


def test_a_bag_of_words_learns_something_but_does_not_solve_it() -> None:
    train, test = english(2000, 10), english(600, 11)
    model = make_pipeline(
        TfidfVectorizer(ngram_range=(1, 2), sublinear_tf=True), LogisticRegression(C=10.0, max_iter=2000)
    )
    model.fit([message.text for message in train], [message.label for message in train])
    accuracy = model.score([message.text for message in test], [message.label for message in test])
    assert 0.5 < accuracy < 0.8


def test_hinglish_is_mostly_words_that_english_never_used_and_some_that_it_did() -> None:
    vocabulary = {word for message in english(3000, 12) for word in words(message)}
    later = [word for message in hinglish(600, 13) for word in words(message)]
    unknown = sum(word not in vocabulary for word in later) / len(later)
    assert 0.55 < unknown < 0.85


def test_a_writer_of_hinglish_spells_a_word_in_one_way_and_writers_differ() -> None:
    spellings = {"nahi", "nahin", "nhi", "nai"}
    met = [set(words(message)) & spellings for message in hinglish(2000, 14)]
    assert set().union(*met) == spellings
    assert all(len(found) <= 1 for found in met)


def test_csv_has_two_columns_and_reads_back_as_written(tmp_path: Path) -> None:
    messages = [*english(200, 15), Message('He said "no", twice.\nReally, naïve', "refund_request")]
    write_csv(tmp_path / "new" / "messages.csv", messages)
    with (tmp_path / "new" / "messages.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    assert [Message(row["text"], row["label"]) for row in rows] == messages
    assert list(rows[0]) == ["text", "label"]
    assert [path.name for path in (tmp_path / "new").iterdir()] == ["messages.csv"]
