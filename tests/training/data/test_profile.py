"""The data report counts what is there, finds near-duplicates as sets of 5-grams define them, and holds no text."""

from __future__ import annotations

import json
import random
from collections.abc import Sequence
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from contracts.task import DataSpec, LimitSpec, TaskSpec
from training.data.dataset import load_dataset
from training.data.near_duplicates import THRESHOLD, near_duplicates
from training.data.profile import Profile, profile
from training.data.rows import Row
from training.data.splits import LeftOut, make_dataset
from training.data.writing import UNSURE, languages, script_of, scripts

WORDS = (
    "parcel",
    "invoice",
    "refund",
    "courier",
    "late",
    "again",
    "please",
    "today",
    "card",
    "charged",
    "twice",
    "hello",
)


def sentence(rng: random.Random, words: int = 14) -> str:
    return " ".join(rng.choice(WORDS) + str(rng.randint(10, 99)) for _ in range(words))


def rows(pairs: Sequence[tuple[str, str]], file: str) -> list[Row]:
    return [Row(text, label, file, line) for line, (text, label) in enumerate(pairs, start=1)]


def grams(text: str) -> set[str]:
    plain = " ".join(text.casefold().split())
    return {plain[at : at + 5] for at in range(max(1, len(plain) - 4))}


class TestNearDuplicates:
    @given(st.lists(st.text("ab \u0905é", max_size=14), max_size=25))
    def test_every_pair_found_is_as_alike_as_it_says(self, texts: list[str]) -> None:
        for pair in near_duplicates(texts):
            one, other = grams(texts[pair.first]), grams(texts[pair.second])
            assert pair.first < pair.second
            assert pair.similarity == pytest.approx(len(one & other) / len(one | other))
            assert pair.similarity >= THRESHOLD

    def test_edited_copies_are_found_among_many_others(self) -> None:
        rng = random.Random(3)
        texts = [sentence(rng) for _ in range(400)]
        copies = {}
        for at in range(0, 400, 10):
            copies[len(texts)] = at
            texts.append(texts[at].replace(" ", "  ", 2).upper() + "!")
        found = {pair.second: pair.first for pair in near_duplicates(texts)}
        assert found == copies

    def test_the_same_in_any_case_and_spacing_is_wholly_alike(self) -> None:
        (pair,) = near_duplicates(["Where is  my\tparcel", "where IS my parcel", "something else altogether"])
        assert (pair.first, pair.second, pair.similarity) == (0, 1, 1.0)

    def test_a_crowd_of_alike_texts_costs_no_square(self) -> None:
        found = near_duplicates(["one and the same text for all"] * 500)
        assert {pair.second for pair in found} == set(range(1, 500))
        assert len(found) < 500 * 10


class TestWriting:
    @pytest.mark.parametrize(
        ("text", "script"),
        [
            ("where is my parcel? 123", "Latin"),
            ("मेरी पार्सल", "Devanagari"),
            ("где мой заказ ok", "Cyrillic"),
            ("我的包裹在哪里", "CJK"),
            ("12 + 3 😀", "no letters"),
            ("", "no letters"),
        ],
    )
    def test_scripts(self, text: str, script: str) -> None:
        assert script_of(text) == script

    def test_the_commonest_comes_first(self) -> None:
        assert list(scripts(["я", "a", "b"]).items()) == [("Latin", 2), ("Cyrillic", 1)]

    def test_languages(self) -> None:
        found = languages(
            [
                *["I would like to know when my parcel is going to be delivered"] * 2,
                "Ich würde gern wissen, wann mein Paket endlich ankommt",
                "ok",
            ]
        )
        assert found == {"en": 2, "de": 1, UNSURE: 1}


class TestProfile:
    @pytest.fixture
    def found(self) -> Profile:
        rng = random.Random(1)
        old = [(sentence(rng), "billing") for _ in range(30)] + [(sentence(rng, 2), "other") for _ in range(10)]
        leaks = [(text + "!", "other") for text, _ in old[:2]]
        fresh = [(sentence(rng), "billing") for _ in range(6)]
        dataset = make_dataset(
            rows(old, "train.csv"),
            rows(fresh[:4], "validation.csv"),
            rows([*leaks, *fresh[4:]], "test.csv"),
            left_out=[LeftOut("train", "duplicate", 3)],
        )
        return profile(dataset)

    def test_rows_labels_and_imbalance(self, found: Profile) -> None:
        assert [(split.name, split.rows) for split in found.splits] == [("train", 40), ("validation", 4), ("test", 4)]
        assert [(label.name, label.train, label.validation, label.test) for label in found.labels] == [
            ("billing", 30, 4, 2),
            ("other", 10, 0, 2),
        ]
        assert found.imbalance is not None
        assert found.imbalance.largest_to_smallest == 3.0
        assert found.imbalance.evenness == pytest.approx(0.8113, abs=1e-4)
        assert found.left_out == (LeftOut("train", "duplicate", 3),)

    def test_lengths(self, found: Profile) -> None:
        assert found.splits[0].words == {"shortest": 2, "median": 14, "p90": 14, "p99": 14, "longest": 14}

    def test_leaks_and_labels_that_differ(self, found: Profile) -> None:
        assert found.near.leaked == {"validation": 0.0, "test": 0.5}
        assert found.near.share == pytest.approx(4 / 48)
        assert found.near.conflicting == 2
        assert {place.partition(",")[0] for pair in found.near.examples for place in pair} == {"train.csv", "test.csv"}

    def test_it_is_json_and_holds_no_text(self, found: Profile) -> None:
        written = json.dumps(found.content(), allow_nan=False)
        assert not any(word in written for word in ("parcel", "refund", "courier"))

    def test_an_empty_split_is_no_trouble(self) -> None:
        found = profile(make_dataset(rows([("a", "x"), ("b", "y")], "f"), [], []))
        assert found.splits[2].characters["longest"] == 0
        assert found.near.leaked == {"validation": 0.0, "test": 0.0}


def test_what_loading_leaves_out_is_counted_and_texts_are_quoted_by_setting_alone(tmp_path: Path) -> None:
    texts = [f"text {number},{'ab'[number % 2]}" for number in range(30)]
    lines = [*texts, texts[0], "text 1,a", "secret words,a", "secret words,b"]
    (tmp_path / "a.csv").write_text("text,label\n" + "\n".join(lines) + "\n")
    for quoted in (True, False):
        spec = TaskSpec(name="t", data=DataSpec(path=str(tmp_path / "a.csv")), limits=LimitSpec(log_text=quoted))
        dataset = load_dataset(spec)
        assert dataset.left_out == (LeftOut("train", "duplicate", 1),)
        (warning,) = [one for one in dataset.warnings if "more than one label" in one]
        assert ("secret words" in warning) == quoted
        assert profile(dataset).conflicts == 2
